// The host's state. Keys are whole: the prefix that the policy grants is part of them.
// What may fail returns an object whose failure is null when it did not.

import { Failure, Reply, answer } from "./host";

@external("ingot", "state_get")
declare function hostGet(key: usize, keySize: usize): u64;
@external("ingot", "state_set")
declare function hostSet(key: usize, keySize: usize, value: usize, valueSize: usize, ttlMillis: i64, ifVersion: i64): u64;
@external("ingot", "state_delete")
declare function hostDelete(key: usize, keySize: usize, ifVersion: i64): u64;
@external("ingot", "state_increment")
declare function hostIncrement(key: usize, keySize: usize, delta: i64, ttlMillis: i64): u64;
@external("ingot", "state_list")
declare function hostList(prefix: usize, prefixSize: usize, after: usize, afterSize: usize, limit: i32): u64;

/** ifVersion of a write that happens in any case. */
export const ALWAYS: i64 = -1;
/** ifVersion of a write that happens only while there is no such key. */
export const IF_ABSENT: i64 = 0;

/** What get found. */
export class Entry {
  failure: Failure | null = null;
  constructor(public value: ArrayBuffer, public version: u64) {}

  /** The value as text. */
  text(): string {
    return String.UTF8.decode(this.value);
  }
}

/** A number, such as a new version or a sum. */
export class Count {
  failure: Failure | null;
  value: i64;
  constructor(r: Reply) {
    this.failure = r.failure;
    this.value = r.failure === null ? <i64>r.number(0, 8) : 0;
  }
}

/** Keys in byte order. */
export class Keys {
  failure: Failure | null = null;
  keys: string[] = [];
}

/** Reads a key. An absent one fails with not_found. */
export function get(key: string): Entry {
  const k = String.UTF8.encode(key);
  const r = answer(hostGet(changetype<usize>(k), k.byteLength));
  const entry = new Entry(r.failure === null ? r.bytes.slice(8) : new ArrayBuffer(0), r.number(0, 8));
  entry.failure = r.failure;
  return entry;
}

/**
 * Writes a key and returns its new version. It lives for ttlMillis, 0 is for good. ifVersion
 * is ALWAYS, IF_ABSENT or the version that the key must be at; else it fails with conflict.
 */
export function set(key: string, value: ArrayBuffer, ttlMillis: i64 = 0, ifVersion: i64 = ALWAYS): Count {
  const k = String.UTF8.encode(key);
  return new Count(answer(hostSet(changetype<usize>(k), k.byteLength, changetype<usize>(value), value.byteLength, ttlMillis, ifVersion)));
}

/** Writes a text; see set. */
export function setText(key: string, value: string, ttlMillis: i64 = 0, ifVersion: i64 = ALWAYS): Count {
  return set(key, String.UTF8.encode(value), ttlMillis, ifVersion);
}

/** Removes a key; ifVersion is ALWAYS or a version. An absent one fails with not_found. */
export function remove(key: string, ifVersion: i64 = ALWAYS): Failure | null {
  const k = String.UTF8.encode(key);
  return answer(hostDelete(changetype<usize>(k), k.byteLength, ifVersion)).failure;
}

/**
 * Adds to a decimal number and returns the sum. An absent key counts as 0, and lives for
 * ttlMillis, 0 is for good.
 */
export function increment(key: string, delta: i64 = 1, ttlMillis: i64 = 0): Count {
  const k = String.UTF8.encode(key);
  return new Count(answer(hostIncrement(changetype<usize>(k), k.byteLength, delta, ttlMillis)));
}

/**
 * Lists at most limit keys that begin with prefix and are greater than after. There may be
 * fewer, and there are none only at the end.
 */
export function list(prefix: string, after: string, limit: i32): Keys {
  const p = String.UTF8.encode(prefix), a = String.UTF8.encode(after);
  const r = answer(hostList(changetype<usize>(p), p.byteLength, changetype<usize>(a), a.byteLength, limit));
  const found = new Keys();
  found.failure = r.failure;
  for (let at = 0; r.failure === null && at < r.bytes.byteLength; ) {
    const size = <i32>r.number(at, 4);
    found.keys.push(r.text(at + 4, size));
    at += 4 + size;
  }
  return found;
}
