//! The Rust worker of bench/engine. It speaks what ../../goworker/main.go says.

mod session;
mod stores;
mod workload;

use session::Session;
use std::io::{self, BufRead, Write};
use stores::{DashAhash, DashDefault, Papaya, Scc, Store};
use workload::*;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["list"] => list(),
        ["run", "dashmap"] => serve(DashDefault::open),
        ["run", "dashmap-ahash"] => serve(DashAhash::open),
        ["run", "papaya"] => serve(Papaya::open),
        ["run", "scc"] => serve(Scc::open),
        _ => Err(io::Error::other("want list, or run NAME with a name of the list")),
    };
    if let Err(error) = done {
        eprintln!("rust worker: {error}");
        std::process::exit(1);
    }
}

fn list() -> io::Result<()> {
    println!("dashmap\tdashmap {}, its default hasher (Rust)\t", version("dashmap"));
    println!("dashmap-ahash\tdashmap {}, ahash (Rust)\t", version("dashmap"));
    println!("papaya\tpapaya {}, ahash (Rust)\t", version("papaya"));
    println!("scc\tscc {} HashMap, ahash (Rust)\t", version("scc"));
    Ok(())
}

/// The version that Cargo.toml pins.
fn version(name: &str) -> &'static str {
    let manifest = include_str!("../Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = \"=")));
    line.and_then(|line| line.split('"').nth(1)).map_or("(unknown version)", |version| &version[1..])
}

fn serve<S: Store>(open: fn() -> S) -> io::Result<()> {
    let mut session = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line == "quit" {
            return Ok(());
        }
        let answer = command(open, &mut session, &line).unwrap_or_else(|text| format!("error {text}"));
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn command<S: Store>(open: fn() -> S, session: &mut Option<Session<S>>, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["load", keys, value_bytes, zipf_path] => {
            let (keys, value_bytes) = (number(keys)? as usize, number(value_bytes)? as usize);
            if keys < 1 || value_bytes < VALUE_BYTES_MIN {
                return Err(format!("want at least one key and values of {VALUE_BYTES_MIN} bytes"));
            }
            let loaded = Session::load(open, keys, value_bytes, &read_zipf(zipf_path)?);
            let answer = format!(
                "ok base={} loaded={} rest={} ns={}",
                loaded.base, loaded.loaded, loaded.rest, loaded.loaded_time.as_nanos()
            );
            *session = Some(loaded);
            Ok(answer)
        }
        ["measure", op, arg, ops, seed] => {
            let session = session.as_ref().ok_or("nothing is loaded")?;
            let found = session.measure(op, number(arg)? as usize, number(ops)? as usize, number(seed)?)?;
            Ok(found.map_or("no".to_string(), |t| {
                format!(
                    "ok ops={} ns={} hits={} sum={} worst={} slow={}",
                    t.ops, t.took.as_nanos(), t.hits, t.sum, t.worst.as_nanos(), t.slow
                )
            }))
        }
        ["keys", count] => Ok(format!("ok sum={}", sum_keys(number(count)?))),
        _ => Err(format!("no command {line:?}")),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|error| format!("{word:?} is no number: {error}"))
}

fn read_zipf(path: &str) -> Result<Vec<u32>, String> {
    let raw = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    if raw.is_empty() || raw.len() % 4 != 0 {
        return Err(format!("{path}: {} bytes are no list of uint32", raw.len()));
    }
    Ok(raw.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect())
}

/// What sumKeys of ../../goworker/main.go says.
fn sum_keys(count: u64) -> u64 {
    let mut sum: u64 = 0;
    let mut key = String::new();
    for i in 0..count {
        key.clear();
        push_key(&mut key, i);
        for c in key.bytes() {
            sum = sum.wrapping_add(c as u64).wrapping_mul(0x100000001b3);
        }
        sum = sum.wrapping_add(draw(3, i, 1000003)).wrapping_add(scatter(i, count, 5));
    }
    let mut value = new_value(100);
    set_stamp(&mut value, stamp(&key, mix(9)));
    sum.wrapping_add(sum_borrowed(&value)).wrapping_add(sum_copied(&value)).wrapping_add(value[50] as u64)
}
