//! The workload that ../../workload/workload.go specifies.

use std::ops::Range;

pub const ABSENT_BASE: u64 = 1 << 40;
pub const FRESH_BASE: u64 = 1 << 41;
pub const VALUE_BYTES_MIN: usize = 16;

const KEY_SALT: u64 = 0x6b65797374726561;
const SCATTER_STRIDE: u64 = 2654435761;
const LAST_BYTE_MASK: u8 = 0x5a;

pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e3779b97f4a7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d049bb133111eb);
    x ^ (x >> 31)
}

pub fn push_key(text: &mut String, i: u64) {
    let a = mix(i);
    let b = mix(a ^ KEY_SALT);
    push_digits(text, a, 16);
    push_digits(text, b, b % 17);
}

fn push_digits(text: &mut String, x: u64, count: u64) {
    for digit in 0..count {
        let nibble = x >> (60 - 4 * digit) & 15;
        text.push(b"0123456789abcdef"[nibble as usize] as char);
    }
}

/// Keys that lie side by side in one piece of memory, which is never given back:
/// a process loads once.
pub fn keys(count: usize, index: impl Fn(u64) -> u64) -> Vec<&'static str> {
    let mut arena = String::with_capacity(count * 32);
    let mut places: Vec<Range<usize>> = Vec::with_capacity(count);
    for j in 0..count as u64 {
        let start = arena.len();
        push_key(&mut arena, index(j));
        places.push(start..arena.len());
    }
    let arena: &'static str = arena.leak();
    places.into_iter().map(|place| &arena[place]).collect()
}

pub fn stamp(key: &str, salt: u64) -> u64 {
    u64::from_le_bytes(key.as_bytes()[..8].try_into().unwrap()) ^ salt
}

pub fn new_value(size: usize) -> Vec<u8> {
    let mut value: Vec<u8> = (0..size).map(|j| (j * 31 + 7) as u8).collect();
    set_stamp(&mut value, 0);
    value
}

pub fn set_stamp(value: &mut [u8], stamp: u64) {
    value[..8].copy_from_slice(&stamp.to_le_bytes());
    value[value.len() - 1] = stamp as u8 ^ LAST_BYTE_MASK;
}

pub fn sum_borrowed(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[..8].try_into().unwrap())
}

pub fn sum_copied(value: &[u8]) -> u64 {
    sum_borrowed(value).wrapping_add(value[value.len() - 1] as u64)
}

pub fn draw(seed: u64, j: u64, n: u64) -> u64 {
    let x = mix(mix(seed).wrapping_add(j));
    ((x as u128 * n as u128) >> 64) as u64
}

pub fn scatter(j: u64, n: u64, offset: u64) -> u64 {
    (j.wrapping_mul(SCATTER_STRIDE).wrapping_add(offset)) % n
}

pub fn probes(n: usize) -> usize {
    (4 * n).clamp(4096, 1 << 20)
}

pub fn segment(n: usize) -> usize {
    (n / 10).max(256).min(200_000).min(n)
}
