import { ABSENT, KEY_SPACE, OPEN, VALUE_BYTES_MAX, decodeText, keyBytesMax, valueBytesMax } from "./engine.js";
import { IngotError, typeError } from "./errors.js";
import { deleteConditions, flag, int64, operation, refuseUnknown, setConditions, ttlMillis, versionNumber, wantsBytes, wholeNumber } from "./options.js";
import { joined } from "./stream.js";
import { Watcher } from "./watcher.js";

const COUNT_MAX = 0x7fffffff;
const NO_OPTIONS = Object.freeze({});
const LIST_OPTIONS = new Set(["prefix", "after", "limit", "values", "keyType"]);
const WALK_OPTIONS = new Set(["keyType"]);
const ITEM_OPTIONS = new Set(["ttl"]);

// Entries per call of the iterators. The engine walks all its keys for a page,
// so pages are long; those with values end early when they get large.
const KEYS_PAGE = 10_000;
const ENTRIES_PAGE = 1000;

// The lengths of heads in requests and replies; see docs/ABI.md.
const GET_HEAD = 20;
const SET_HEAD = 16;
const OP_HEAD = 36;
const RESULT_BYTES = 20;
const LIST_HEAD = 24;

// Keys asked for in one call of get_many, and the bytes they may have.
const GET_MANY_BYTES = 1 << 20;

// Any counter of fewer digits stays exact, whatever number is added to it.
const SAFE_DIGITS = 15;
const SAFE_DELTA = 8_000_000_000_000_000n;

// What ingot_stats and ingot_log_stats say, in their order.
const STATS = "keys bytes bytesMax version sets deletes expired conflicts watchers".split(" ");
const LOG_STATS = "state segments logBytes snapshotBytes pendingBytes writtenBytes syncs syncedAt compactions".split(" ");
const RECOVERED = "snapshotBytes logBytes segments records clean tornBytes".split(" ");
const LOG_STATES = ["ok", "degraded", "read-only"];

/**
 * inside gives another part of this package what it needs to use a store without its
 * methods: the engine, the handle, what to call after a write, the set of those who
 * are woken by writes, and what makes writes durable, or null.
 */
export let inside;

/**
 * Store is an open store. open() makes one. Its methods are synchronous unless
 * they return a promise, and throw an IngotError.
 */
export class Store {
  #e; // the engine
  #x; // its exports, one property less on the way of a call
  #h; // the store's handle
  #name;
  #waiting = new Set(); // the watchers that somebody awaits
  #closing; // the promise of close()
  #durable; // makes writes durable; null in memory

  static {
    inside = (store) => ({ engine: store.#e, handle: store.#h, changed: () => store.#changed(), waiting: store.#waiting, durable: store.#durable });
  }

  /** @internal */
  constructor(engine, handle, name, durable = null) {
    this.#e = engine;
    this.#x = engine.x;
    this.#h = handle;
    this.#name = name;
    this.#durable = durable;
  }

  get name() {
    return this.#name;
  }

  // Reading.

  get(key) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const keyBytes = e.key(key);
    let size;
    try {
      size = this.#x.ingot_get(this.#h, keyBytes);
    } catch (cause) {
      throw e.poisoned(cause);
    }
    if (e.u8.length === 0) e.refresh();
    if (size < 0) {
      if (size === ABSENT) return undefined;
      throw e.failure(size);
    }
    if (keyBytes + size > e.areaBytes) return this.#longValue(keyBytes, size);
    const at = e.area + keyBytes;
    return e.u8.slice(at, at + size);
  }

  #longValue(keyBytes, size) {
    const at = this.#e.replyAt(keyBytes, size);
    const value = this.#e.u8.slice(at, at + size);
    this.#e.trim();
    return value;
  }

  getEntry(key) {
    const value = this.get(key);
    if (value === undefined) return undefined;
    const expiresAt = this.#e.second();
    return { value, version: this.#e.version(), expiresAt: expiresAt === 0 ? undefined : expiresAt };
  }

  getString(key) {
    const value = this.get(key);
    return value === undefined ? undefined : decodeText(value, "the value", "ERR_VALUE_ENCODING");
  }

  getJSON(key) {
    const text = this.getString(key);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new IngotError("ERR_JSON", `the value is not JSON: ${cause.message}`, { cause });
    }
  }

  has(key) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const keyBytes = e.key(key);
    let found;
    try {
      found = this.#x.ingot_exists(this.#h, keyBytes);
    } catch (cause) {
      throw e.poisoned(cause);
    }
    if (e.u8.length === 0) e.refresh();
    if (found < 0) throw e.failure(found);
    return found === 1;
  }

  getMany(keys) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const list = [...keys];
    const values = [];
    while (values.length < list.length) {
      const before = values.length;
      const requestBytes = this.#writeKeys(list, before, GET_MANY_BYTES);
      this.#readValues(values, requestBytes, e.checked("ingot_get_many", this.#h, requestBytes));
    }
    e.trim();
    return values;
  }

  // writeKeys writes keys from index on, as many as begin within `most` bytes.
  #writeKeys(keys, index, most) {
    const e = this.#e;
    let size = 0;
    let end = index;
    for (; end < keys.length && size < most; end++) size += 4 + keyBytesMax(keys[end]);
    e.reserve(size);
    e.at = 0;
    for (let i = index; i < end; i++) {
      const head = e.at;
      e.at += 4 + e.keyAt(keys[i], head + 4, "a key");
      e.view.setUint32(e.area + head, e.at - head - 4, true);
    }
    return e.at;
  }

  #readValues(values, requestBytes, size) {
    const e = this.#e;
    let at = e.replyAt(requestBytes, size);
    const { u8, view } = e;
    const answered = view.getUint32(at, true);
    at += 4;
    for (let i = 0; i < answered; i++) {
      const valueBytes = view.getUint32(at, true);
      const found = view.getUint32(at + 4, true) !== 0 || view.getUint32(at + 8, true) !== 0;
      at += GET_HEAD;
      values.push(found ? u8.slice(at, at + valueBytes) : undefined);
      at += valueBytes;
    }
  }

  // Writing.

  set(key, value, options) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const room = KEY_SPACE + valueBytesMax(value);
    if (room > e.areaBytes) e.reserve(room);
    const keyBytes = e.key(key);
    const valueBytes = e.valueAt(value, keyBytes);
    const flags = options === undefined ? 0 : this.#setFlags(options);
    let code;
    try {
      code = this.#x.ingot_set(this.#h, keyBytes, valueBytes, flags);
    } catch (cause) {
      throw e.poisoned(cause);
    }
    if (e.u8.length === 0) e.refresh();
    if (code < 0) throw e.failure(code);
    this.#changed();
    return e.version();
  }

  #setFlags(options) {
    const c = setConditions(options);
    this.#e.setFirst(c.version);
    this.#e.setSecond(c.ttl);
    return c.flags;
  }

  setJSON(key, value, options) {
    const text = JSON.stringify(value);
    if (text === undefined) throw typeError("a value of setJSON", "something that JSON can express", value);
    return this.set(key, text, options);
  }

  // changed ends a call that may have changed something: the area of a large
  // request is given back, a sync is due, and those who wait for a change look again.
  #changed() {
    this.#e.trim();
    if (this.#durable !== null) this.#durable.changed();
    if (this.#waiting.size === 0) return;
    for (const watcher of [...this.#waiting]) watcher.wake();
  }

  delete(key, options = NO_OPTIONS) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const keyBytes = e.key(key);
    const c = deleteConditions(options);
    if (c.flags !== 0) e.setFirst(c.version);
    const deleted = e.checked("ingot_delete", this.#h, keyBytes, c.flags);
    this.#changed();
    return deleted === 1 ? e.version() : 0;
  }

  cas(key, version, value) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    e.reserve(KEY_SPACE + valueBytesMax(value));
    const keyBytes = e.key(key);
    const valueBytes = e.valueAt(value, keyBytes);
    e.setFirst(versionNumber("version", version));
    const swapped = e.checked("ingot_cas", this.#h, keyBytes, valueBytes) === 1;
    this.#changed();
    return { swapped, version: e.version() };
  }

  increment(key, delta = 1) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const step = int64("delta", delta);
    const exact = typeof delta === "bigint";
    if (!exact) this.#refuseUnsafeSum(key, step);
    const keyBytes = e.key(key);
    e.setSigned(step);
    e.checked("ingot_increment", this.#h, keyBytes);
    this.#changed();
    return exact ? e.sum() : Number(e.sum());
  }

  // A sum that a number cannot hold is refused before it is made: afterwards
  // the error would hide that the counter has changed.
  #refuseUnsafeSum(key, step) {
    const e = this.#e;
    const digits = e.call("ingot_stat", this.#h, e.key(key));
    const small = step < SAFE_DELTA && step > -SAFE_DELTA;
    if (small && digits < SAFE_DIGITS) return;
    const text = digits < 0 || digits > 20 ? "0" : decodeText(this.get(key), "the counter", "ERR_NOT_NUMBER");
    if (!/^[+-]?[0-9]+$/.test(text)) return; // the engine says what is wrong with it
    const sum = BigInt(text.replace("+", "")) + step;
    if (BigInt.asIntN(64, sum) !== sum || Number.isSafeInteger(Number(sum))) return;
    throw new IngotError("ERR_RANGE", `the counter would be ${sum}, which a number cannot hold exactly: pass the delta as a bigint`);
  }

  expire(key, ttl) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const keyBytes = e.key(key);
    e.setSecond(ttlMillis(ttl));
    e.checked("ingot_expire", this.#h, keyBytes);
    this.#changed();
    return e.version();
  }

  setMany(entries) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const list = [...entries];
    let size = 0;
    for (const entry of list) {
      if (!Array.isArray(entry)) throw typeError("an entry", "an array [key, value, options?]", entry);
      size += SET_HEAD + keyBytesMax(entry[0]) + valueBytesMax(entry[1]);
    }
    e.reserve(size);
    e.at = 0;
    for (const [key, value, options = NO_OPTIONS] of list) this.#writeItem(key, value, options);
    const requestBytes = e.at;
    const at = e.replyAt(requestBytes, e.checked("ingot_set_many", this.#h, requestBytes));
    const versions = list.map((_, i) => e.u64At(at + 8 * i, "a version"));
    this.#changed();
    return versions;
  }

  #writeItem(key, value, options) {
    const e = this.#e;
    refuseUnknown(options, ITEM_OPTIONS, "an entry");
    const head = e.at;
    const keyBytes = e.keyAt(key, head + SET_HEAD, "a key");
    const valueBytes = e.valueAt(value, head + SET_HEAD + keyBytes);
    e.u32(keyBytes);
    e.u32(valueBytes);
    e.u64(options.ttl === undefined ? 0 : ttlMillis(options.ttl));
    e.at += keyBytes + valueBytes;
  }

  deleteMany(keys) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const deleted = e.checked("ingot_delete_many", this.#h, this.#writeKeys([...keys], 0, Infinity));
    this.#changed();
    return deleted;
  }

  batch(operations) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const ops = [...operations].map(operation);
    let size = 0;
    for (const op of ops) {
      if (op.kind === 3 && !op.exact) this.#refuseUnsafeSum(op.key, op.delta);
      size += OP_HEAD + keyBytesMax(op.key) + valueBytesMax(op.value);
    }
    e.reserve(size);
    e.at = 0;
    for (const op of ops) this.#writeOperation(op);
    const requestBytes = e.at;
    const at = e.replyAt(requestBytes, e.checked("ingot_batch", this.#h, requestBytes));
    const results = ops.map((op, i) => this.#readResult(op, at + RESULT_BYTES * i));
    this.#changed();
    return results;
  }

  #writeOperation({ kind, key, value, delta, conditions }) {
    const e = this.#e;
    const head = e.at;
    const keyBytes = e.keyAt(key, head + OP_HEAD, "a key");
    const valueBytes = e.valueAt(value, head + OP_HEAD + keyBytes);
    e.u32(kind | (conditions.flags << 8));
    e.u32(keyBytes);
    e.u32(valueBytes);
    e.u64(conditions.version);
    e.u64(conditions.ttl);
    e.view.setBigInt64(e.area + e.at, delta, true);
    e.at += 8 + keyBytes + valueBytes;
  }

  #readResult(op, at) {
    const e = this.#e;
    const result = { version: e.u64At(at, "a version"), existed: e.u32At(at + 16) === 1 };
    if (op.kind === 3) {
      const sum = e.view.getBigInt64(at + 8, true);
      result.number = op.exact ? sum : Number(sum);
    }
    return result;
  }

  clear(prefix = "") {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const deleted = e.checked("ingot_clear", this.#h, e.keyAt(prefix, 0, "a prefix"));
    this.#changed();
    return deleted;
  }

  // Listing.

  list(options = NO_OPTIONS) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    refuseUnknown(options, LIST_OPTIONS, "list");
    const asBytes = wantsBytes(options.keyType);
    const values = flag("values", options.values);
    const limit = wholeNumber("limit", options.limit ?? 0, COUNT_MAX);
    const prefixBytes = e.keyAt(options.prefix ?? "", 0, "a prefix");
    const afterBytes = e.keyAt(options.after ?? "", prefixBytes, "a cursor");
    const size = e.checked("ingot_list", this.#h, prefixBytes, afterBytes, limit, values ? 1 : 0);
    return this.#readPage(e.replyAt(prefixBytes + afterBytes, size), values, asBytes);
  }

  #readPage(start, values, asBytes) {
    const e = this.#e;
    const count = e.u32At(start);
    const nextBytes = e.u32At(start + 4);
    const entries = new Array(count);
    let at = start + 8;
    for (let i = 0; i < count; i++) {
      const keyBytes = e.u32At(at);
      const size = e.u32At(at + 4);
      const expiresAt = e.u64At(at + 16, "a time");
      const entry = {
        key: e.keyFrom(at + LIST_HEAD, keyBytes, asBytes),
        size,
        version: e.u64At(at + 8, "a version"),
        expiresAt: expiresAt === 0 ? undefined : expiresAt,
      };
      at += LIST_HEAD + keyBytes;
      if (values) {
        entry.value = e.u8.slice(at, at + size);
        at += size;
      }
      entries[i] = entry;
    }
    const page = { entries, next: nextBytes === 0 ? undefined : e.keyFrom(at, nextBytes, asBytes) };
    e.trim();
    return page;
  }

  *keys(prefix = "", options = NO_OPTIONS) {
    refuseUnknown(options, WALK_OPTIONS, "keys");
    for (const entry of this.#walk(prefix, { ...options, limit: KEYS_PAGE })) yield entry.key;
  }

  *entries(prefix = "", options = NO_OPTIONS) {
    refuseUnknown(options, WALK_OPTIONS, "entries");
    for (const entry of this.#walk(prefix, { ...options, limit: ENTRIES_PAGE, values: true })) yield [entry.key, entry.value];
  }

  // The cursor is taken as bytes where keys are, so that a walk passes every key.
  *#walk(prefix, options) {
    for (let after = ""; after !== undefined; ) {
      const page = this.list({ ...options, prefix, after });
      yield* page.entries;
      after = page.next;
    }
  }

  // The store itself.

  watch(options = NO_OPTIONS) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    return new Watcher(e, this.#h, typeof options === "string" ? { prefix: options } : options, this.#waiting);
  }

  setBudget(prefix, bytesMax) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const prefixBytes = e.keyAt(prefix, 0, "a prefix");
    e.setFirst(wholeNumber("bytesMax", bytesMax, Number.MAX_SAFE_INTEGER));
    e.checked("ingot_budget", this.#h, prefixBytes);
  }

  stats() {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const at = e.replyAt(0, e.checked("ingot_stats", this.#h));
    return this.#counters(STATS, at);
  }

  // counters reads u64 from a reply, as the properties of these names.
  #counters(names, at) {
    return Object.fromEntries(names.map((name, i) => [name, this.#e.u64At(at + 8 * i, "a counter")]));
  }

  tick(max = 0) {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const expired = e.checked("ingot_tick", this.#h, wholeNumber("max", max, COUNT_MAX));
    this.#changed();
    return expired;
  }

  // flush waits until all that was written is durable. In memory nothing is.
  async flush() {
    if (this.#e.state !== OPEN) this.#e.refuse();
    if (this.#durable !== null) await this.#durable.flush();
  }

  async compact() {
    if (this.#e.state !== OPEN) this.#e.refuse();
    if (this.#durable !== null) await this.#durable.compact();
  }

  logStats() {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const size = e.checked("ingot_log_stats", this.#h);
    const at = e.replyAt(0, size);
    const recoveredAt = at + 8 * LOG_STATS.length;
    const textAt = recoveredAt + 8 * RECOVERED.length;
    const log = this.#counters(LOG_STATS, at);
    const recovered = this.#counters(RECOVERED, recoveredAt);
    const problem = decodeText(e.u8.subarray(textAt, at + size), "a text", "ERR_INTERNAL");
    return {
      ...log,
      state: LOG_STATES[log.state],
      problem: problem || undefined,
      recovered: { ...recovered, clean: recovered.clean === 1 },
    };
  }

  async snapshot() {
    const e = this.#e;
    if (e.state !== OPEN) e.refuse();
    const handle = e.checked("ingot_snapshot_open", this.#h);
    const chunks = [];
    for (let size; (size = e.checked("ingot_snapshot_read", handle)) > 0; ) {
      const at = e.replyAt(0, size);
      chunks.push(e.u8.slice(at, at + size));
    }
    e.trim();
    return joined(chunks);
  }

  async restore(source) {
    if (this.#e.state !== OPEN) this.#e.refuse();
    const { restore } = await import("./persist/restore.js");
    return restore(this, source);
  }

  async close() {
    const e = this.#e;
    if (e.closed) return this.#closing;
    this.#closing = this.#close();
    return this.#closing;
  }

  async #close() {
    const e = this.#e;
    try {
      if (this.#durable !== null) await this.#durable.close();
      else if (e.state === OPEN) e.checked("ingot_close", this.#h);
    } finally {
      e.close();
      this.#x = null;
      for (const watcher of [...this.#waiting]) watcher.wake();
    }
  }
}
