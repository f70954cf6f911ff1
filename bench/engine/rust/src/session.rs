//! A loaded store and what is measured on it.

use crate::stores::Store;
use crate::workload::*;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const THREADS: usize = 2;
const SLOW_INSERT: Duration = Duration::from_millis(1);

#[derive(Default)]
pub struct Tally {
    pub ops: usize,
    pub took: Duration,
    pub hits: usize,
    pub sum: u64,
    pub worst: Duration,
    pub slow: usize,
}

impl Tally {
    fn add(&mut self, sum: u64) {
        self.hits += 1;
        self.sum = self.sum.wrapping_add(sum);
    }
}

pub struct Session<S> {
    open: fn() -> S,
    store: S,
    keys: usize,
    value_bytes: usize,
    probes: Vec<&'static str>,
    absent: Vec<&'static str>,
    zipf: Vec<&'static str>,
    pub base: u64,
    pub loaded: u64,
    pub rest: u64,
    pub loaded_time: Duration,
}

/// Walks a list of keys round and round.
struct Ring<'a> {
    keys: &'a [&'static str],
    at: usize,
}

impl<'a> Ring<'a> {
    fn new(keys: &'a [&'static str], seed: u64) -> Self {
        Ring { keys, at: draw(seed, 0, keys.len() as u64) as usize }
    }

    #[inline]
    fn next(&mut self) -> &'static str {
        let key = self.keys[self.at];
        self.at += 1;
        if self.at == self.keys.len() {
            self.at = 0;
        }
        key
    }

    /// The next count keys side by side.
    fn run(&mut self, count: usize) -> &'a [&'static str] {
        if self.at + count > self.keys.len() {
            self.at = 0;
        }
        self.at += count;
        &self.keys[self.at - count..self.at]
    }
}

impl<S: Store> Session<S> {
    pub fn load(open: fn() -> S, keys_count: usize, value_bytes: usize, zipf: &[u32]) -> Self {
        let n = keys_count as u64;
        let probes_count = probes(keys_count);
        let probe_keys = keys(probes_count, |j| draw(1, j, n));
        let absent = keys(probes_count, |j| ABSENT_BASE + j);
        let zipf = keys(zipf.len(), |j| zipf[j as usize] as u64);
        give_back();
        let base = resident_bytes();
        let started = Instant::now();
        let store = open();
        fill(&store, keys_count, value_bytes, |insert| insert());
        let loaded_time = started.elapsed();
        let loaded = resident_bytes();
        give_back();
        let rest = resident_bytes();
        Session {
            open, store, keys: keys_count, value_bytes,
            probes: probe_keys, absent, zipf, base, loaded, rest, loaded_time,
        }
    }

    /// None where the store does not have the operation.
    pub fn measure(&self, op: &str, arg: usize, ops: usize, seed: u64) -> Result<Option<Tally>, String> {
        let probes = || Ring::new(&self.probes, seed);
        Ok(match op {
            "get" => Some(self.get(probes(), ops)),
            "copy" => Some(self.copy(probes(), ops)),
            "miss" => Some(self.copy(Ring::new(&self.absent, seed), ops)),
            "clone" => Some(self.clone(probes(), ops)),
            "set" => Some(self.set(probes(), ops, mix(seed))),
            "inplace" => self.in_place(probes(), ops, mix(seed)),
            "insert" => Some(self.segments(ops, seed, true)),
            "delete" => Some(self.segments(ops, seed, false)),
            "batch" | "batchclone" if arg < 1 || arg > self.probes.len() => {
                return Err(format!("a batch of {arg} keys: want 1 to {}", self.probes.len()))
            }
            "batch" => Some(self.batch(probes(), arg, ops)),
            "batchclone" => Some(self.batch_clone(probes(), arg, ops)),
            "mixed" => Some(self.mixed(&self.probes, ops, seed)),
            "mixedzipf" => Some(self.mixed(&self.zipf, ops, seed)),
            "grow" => Some(self.grow()),
            "gc" => None,
            _ => return Err(format!("no operation {op:?}")),
        })
    }

    fn get(&self, mut keys: Ring, ops: usize) -> Tally {
        let mut t = Tally { ops, ..Tally::default() };
        let started = Instant::now();
        for _ in 0..ops {
            if let Some(sum) = self.store.borrow(keys.next(), sum_borrowed) {
                t.add(sum);
            }
        }
        t.took = started.elapsed();
        t
    }

    fn copy(&self, mut keys: Ring, ops: usize) -> Tally {
        let mut buffer = Vec::with_capacity(self.value_bytes);
        let mut t = Tally { ops, ..Tally::default() };
        let started = Instant::now();
        for _ in 0..ops {
            if copy_out(&self.store, keys.next(), &mut buffer) {
                t.add(sum_copied(&buffer));
            }
        }
        t.took = started.elapsed();
        t
    }

    fn clone(&self, mut keys: Ring, ops: usize) -> Tally {
        let mut t = Tally { ops, ..Tally::default() };
        let started = Instant::now();
        for _ in 0..ops {
            if let Some(value) = self.store.borrow(keys.next(), |value| value.to_vec()) {
                t.add(sum_copied(black_box(&value)));
            }
        }
        t.took = started.elapsed();
        t
    }

    fn set(&self, mut keys: Ring, ops: usize, salt: u64) -> Tally {
        let mut value = new_value(self.value_bytes);
        let started = Instant::now();
        for _ in 0..ops {
            let key = keys.next();
            set_stamp(&mut value, stamp(key, salt));
            self.store.set(key, &value);
        }
        Tally { ops, took: started.elapsed(), ..Tally::default() }
    }

    fn in_place(&self, mut keys: Ring, ops: usize, salt: u64) -> Option<Tally> {
        let mut value = new_value(self.value_bytes);
        let started = Instant::now();
        for _ in 0..ops {
            let key = keys.next();
            set_stamp(&mut value, stamp(key, salt));
            let lent = self.store.overwrite(key, |stored| {
                stored.clear();
                stored.extend_from_slice(&value);
            });
            if !lent {
                return None;
            }
        }
        Some(Tally { ops, took: started.elapsed(), ..Tally::default() })
    }

    fn segments(&self, ops: usize, seed: u64, inserts: bool) -> Tally {
        let n = self.keys as u64;
        let offset = draw(seed, 0, n);
        let size = segment(self.keys);
        let list = keys(size, |j| {
            if inserts { FRESH_BASE + (seed << 24) + j } else { scatter(j, n, offset) }
        });
        let mut t = Tally::default();
        while t.ops < ops {
            let part = &list[..size.min(ops - t.ops)];
            let started = Instant::now();
            if inserts { self.insert(part) } else { self.delete(part) }
            t.took += started.elapsed();
            if inserts { self.delete(part) } else { self.insert(part) }
            t.ops += part.len();
        }
        t
    }

    fn insert(&self, keys: &[&str]) {
        let mut value = new_value(self.value_bytes);
        let salt = mix(0);
        for key in keys {
            set_stamp(&mut value, stamp(key, salt));
            self.store.insert(key, &value);
        }
    }

    fn delete(&self, keys: &[&str]) {
        for key in keys {
            self.store.delete(key);
        }
    }

    /// All values of a batch one behind the other in one buffer.
    fn batch(&self, mut keys: Ring, size: usize, ops: usize) -> Tally {
        let mut buffer: Vec<u8> = Vec::with_capacity(size * self.value_bytes);
        let mut ends = Vec::with_capacity(size);
        let mut t = Tally::default();
        let started = Instant::now();
        while t.ops < ops {
            buffer.clear();
            ends.clear();
            for key in keys.run(size) {
                if self.store.borrow(key, |value| buffer.extend_from_slice(value)).is_some() {
                    ends.push(buffer.len());
                }
            }
            let mut start = 0;
            for &end in &ends {
                t.add(sum_copied(&buffer[start..end]));
                start = end;
            }
            t.ops += size;
        }
        t.took = started.elapsed();
        t
    }

    /// Each value of a batch in memory of its own.
    fn batch_clone(&self, mut keys: Ring, size: usize, ops: usize) -> Tally {
        let mut t = Tally::default();
        let started = Instant::now();
        while t.ops < ops {
            let mut values = Vec::with_capacity(size);
            for key in keys.run(size) {
                values.extend(self.store.borrow(key, |value| value.to_vec()));
            }
            for value in &values {
                t.add(sum_copied(black_box(value)));
            }
            t.ops += size;
        }
        t.took = started.elapsed();
        t
    }

    /// The time is from the first thread's start to the last one's end, as they
    /// see it themselves: the thread that waits for them may get no core meanwhile.
    fn mixed(&self, keys: &[&'static str], ops: usize, seed: u64) -> Tally {
        let barrier = Barrier::new(THREADS);
        let parts: Vec<(Instant, Instant, Tally)> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..THREADS)
                .map(|i| {
                    let mut walk = Ring::new(keys, seed);
                    walk.at = (walk.at + i * keys.len() / THREADS) % keys.len();
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let started = Instant::now();
                        let part = self.mixed_part(walk, ops / THREADS, mix(seed));
                        (started, Instant::now(), part)
                    })
                })
                .collect();
            running.into_iter().map(|part| part.join().expect("a measuring thread ended early")).collect()
        });
        let first = parts.iter().map(|part| part.0).min().expect("there are threads");
        let last = parts.iter().map(|part| part.1).max().expect("there are threads");
        Tally {
            ops: parts.iter().map(|part| part.2.ops).sum(),
            hits: parts.iter().map(|part| part.2.hits).sum(),
            took: last - first,
            ..Tally::default()
        }
    }

    /// Nine reads with copy, then a write.
    fn mixed_part(&self, mut keys: Ring, ops: usize, salt: u64) -> Tally {
        let mut value = new_value(self.value_bytes);
        let mut buffer = Vec::with_capacity(self.value_bytes);
        let mut t = Tally { ops, ..Tally::default() };
        for i in 0..ops {
            let key = keys.next();
            if i % 10 == 9 {
                set_stamp(&mut value, stamp(key, salt));
                self.store.set(key, &value);
            } else if copy_out(&self.store, key, &mut buffer) {
                black_box(&buffer);
                t.hits += 1;
            }
        }
        t
    }

    fn grow(&self) -> Tally {
        let mut t = Tally { ops: self.keys, ..Tally::default() };
        let store = (self.open)();
        fill(&store, self.keys, self.value_bytes, |insert| {
            let started = Instant::now();
            insert();
            let took = started.elapsed();
            t.took += took;
            t.worst = t.worst.max(took);
            t.slow += (took > SLOW_INSERT) as usize;
        });
        drop(store);
        give_back();
        t
    }
}

#[inline]
fn copy_out(store: &impl Store, key: &str, buffer: &mut Vec<u8>) -> bool {
    let copied = store.borrow(key, |value| {
        buffer.clear();
        buffer.extend_from_slice(value);
    });
    copied.is_some()
}

/// Inserts all keys; each insert is handed to `around`, which runs it.
fn fill(store: &impl Store, count: usize, value_bytes: usize, mut around: impl FnMut(&mut dyn FnMut())) {
    let mut value = new_value(value_bytes);
    let mut key = String::with_capacity(32);
    let salt = mix(0);
    for i in 0..count as u64 {
        key.clear();
        push_key(&mut key, i);
        set_stamp(&mut value, stamp(&key, salt));
        around(&mut || store.insert(&key, &value));
    }
}

/// Resident bytes as Linux tells them; 0 elsewhere.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Returns free memory to the system, as far as the allocator can be asked to.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: glibc's malloc_trim takes any pad and may be called at any time.
        unsafe { malloc_trim(0) };
    }
}
