// The JavaScript side of the store: types, encodings, copies and errors. What
// the engine itself does is tested by the scripts of conformance/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { xxh3 } from "../../conformance/xxh3.mjs";
import { IngotError, open } from "../index.js";

const bytes = (...numbers) => new Uint8Array(numbers);
const throwsCode = (code, run) => assert.throws(run, (error) => error instanceof IngotError && error.code === code || assert.fail(`wanted ${code}, got ${error.code}: ${error.stack}`));
const rejectsCode = (code, promise) => assert.rejects(promise, (error) => error instanceof IngotError && error.code === code || assert.fail(`wanted ${code}, got ${error.code}: ${error.stack}`));

test("values go in and come out as copies", async () => {
  const store = await open();
  const value = bytes(1, 2, 3);
  assert.equal(store.set("k", value), 1);
  value[0] = 9;
  const read = store.get("k");
  assert.deepEqual(read, bytes(1, 2, 3));
  read[0] = 8;
  assert.deepEqual(store.get("k"), bytes(1, 2, 3));
  assert.equal(store.get("absent"), undefined);
  assert.equal(store.getEntry("absent"), undefined);
  await store.close();
});

test("strings are UTF-8, in keys and values, at every length", async () => {
  const store = await open();
  for (const text of ["", "a", "grüße", "日本語", "\u{1f600}", "\0", "\ufeffbom", "x".repeat(63), "x".repeat(64), "x".repeat(65), "é".repeat(64), "x".repeat(63) + "é"]) {
    store.set(`k${text}`, text);
    assert.equal(store.getString(`k${text}`), text);
    assert.equal(store.has(new TextEncoder().encode(`k${text}`)), true);
  }
  assert.equal([...store.keys("k")].length, 12);
  await store.close();
});

test("half a surrogate pair is refused, a whole one is not", async () => {
  const store = await open();
  for (const half of ["\ud83d", "a\udc00", "\udc00\ud83d", "x".repeat(80) + "\ud800"]) {
    throwsCode("ERR_KEY_ENCODING", () => store.set(half, "v"));
    throwsCode("ERR_KEY_ENCODING", () => store.get(half));
    throwsCode("ERR_KEY_ENCODING", () => store.getMany(["ok", half]));
    throwsCode("ERR_KEY_ENCODING", () => store.list({ prefix: half }));
    throwsCode("ERR_VALUE_ENCODING", () => store.set("k", half));
  }
  assert.equal(store.stats().keys, 0);
  store.set("\u{1f600}", "\u{1f600}");
  await store.close();
});

test("keys that are no text are shown as bytes only", async () => {
  const store = await open();
  const watcher = store.watch({ values: true });
  store.set("a", "1");
  store.set(bytes(0xff), "2");
  store.set("z", "3");
  throwsCode("ERR_KEY_ENCODING", () => store.list());
  throwsCode("ERR_KEY_ENCODING", () => [...store.keys()]);
  assert.deepEqual([...store.keys("", { keyType: "bytes" })], [bytes(0x61), bytes(0x7a), bytes(0xff)]);
  assert.deepEqual(watcher.poll().map((event) => event.key), ["a"]);
  throwsCode("ERR_KEY_ENCODING", () => watcher.poll());
  assert.deepEqual(watcher.poll().map((event) => event.key), ["z"], "the bad key costs no other event");
  await store.close();
});

test("wrong types are refused by name", async () => {
  const store = await open();
  for (const key of [undefined, null, 1, {}, [1], Symbol("s"), new ArrayBuffer(1), new Uint16Array(1)]) {
    throwsCode("ERR_TYPE", () => store.get(key));
    throwsCode("ERR_TYPE", () => store.set(key, "v"));
    throwsCode("ERR_TYPE", () => store.setMany([[key, "v"]]));
    throwsCode("ERR_TYPE", () => store.deleteMany([key]));
    throwsCode("ERR_TYPE", () => store.batch([{ op: "delete", key }]));
  }
  for (const value of [undefined, null, 1, {}, new ArrayBuffer(1), new Float64Array(1)]) {
    throwsCode("ERR_TYPE", () => store.set("k", value));
    throwsCode("ERR_TYPE", () => store.cas("k", 0, value));
    throwsCode("ERR_TYPE", () => store.batch([{ op: "set", key: "k", value }]));
  }
  throwsCode("ERR_TYPE", () => store.set("k", "v", { ttl: "1" }));
  throwsCode("ERR_TYPE", () => store.set("k", "v", { keepTtl: 1 }));
  throwsCode("ERR_TYPE", () => store.set("k", "v", { ifVersion: 1n }));
  throwsCode("ERR_TYPE", () => store.set("k", "v", null));
  throwsCode("ERR_TYPE", () => store.increment("k", "1"));
  throwsCode("ERR_TYPE", () => store.setJSON("k", undefined));
  throwsCode("ERR_TYPE", () => store.setMany(["kv"]));
  throwsCode("ERR_TYPE", () => store.batch(["delete"]));
  throwsCode("ERR_OPTIONS", () => store.batch([{ op: "toString", key: "k" }]));
  assert.equal(store.stats().version, 0);
  await store.close();
});

test("misspelt options are refused, not ignored", async () => {
  const store = await open();
  throwsCode("ERR_OPTIONS", () => store.set("k", "v", { ifversion: 1 }));
  throwsCode("ERR_OPTIONS", () => store.delete("k", { ifAbsent: true }));
  throwsCode("ERR_OPTIONS", () => store.delete("k", { ifVersion: 0 }));
  throwsCode("ERR_OPTIONS", () => store.list({ start: "a" }));
  throwsCode("ERR_OPTIONS", () => store.watch({ key: "a" }));
  throwsCode("ERR_OPTIONS", () => store.setMany([["k", "v", { ifAbsent: true }]]));
  throwsCode("ERR_OPTIONS", () => store.batch([{ op: "delete", key: "k", value: "v" }]));
  throwsCode("ERR_OPTIONS", () => store.list({ keyType: "utf-8" }));
  throwsCode("ERR_OPTIONS", () => store.list({ limit: 1.5 }));
  throwsCode("ERR_OPTIONS", () => store.tick(-1));
  throwsCode("ERR_OPTIONS", () => store.set("k", "v", { ifVersion: 2 ** 53 }));
  throwsCode("ERR_TTL", () => store.set("k", "v", { ttl: -1 }));
  throwsCode("ERR_TTL", () => store.set("k", "v", { ttl: NaN }));
  throwsCode("ERR_TTL", () => store.set("k", "v", { ttl: Infinity }));
  throwsCode("ERR_TTL", () => store.expire("k", 4e12));
  await rejectsCode("ERR_OPTIONS", open({ path: "/tmp" }));
  await store.close();
});

test("a detached buffer is refused, an empty value is not", async () => {
  const store = await open();
  const gone = new Uint8Array(8);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  throwsCode("ERR_DETACHED", () => store.set("k", gone));
  throwsCode("ERR_DETACHED", () => store.set(gone, "v"));
  throwsCode("ERR_DETACHED", () => store.get(gone));
  throwsCode("ERR_DETACHED", () => store.setMany([["k", gone]]));
  store.set("k", new Uint8Array(0));
  assert.deepEqual(store.get("k"), new Uint8Array(0));
  await store.close();
});

test("version 0 as a condition means absent", async () => {
  const store = await open();
  assert.equal(store.set("k", "a", { ifVersion: 0 }), 1);
  assert.throws(() => store.set("k", "b", { ifVersion: 0 }), { code: "ERR_CONFLICT", version: 1, index: 0 });
  assert.deepEqual(store.cas("new", 0, "v"), { swapped: true, version: 2 });
  assert.throws(() => store.batch([{ op: "set", key: "x", value: "" }, { op: "check", key: "k", ifVersion: 0 }]), { code: "ERR_CONFLICT", version: 1, index: 1 });
  assert.equal(store.has("x"), false);
  await store.close();
});

test("counters stay exact: numbers to 2^53, bigints to 2^63", async () => {
  const store = await open();
  const most = Number.MAX_SAFE_INTEGER;
  assert.equal(store.increment("n", most), most);
  throwsCode("ERR_RANGE", () => store.increment("n"));
  throwsCode("ERR_RANGE", () => store.batch([{ op: "increment", key: "n" }]));
  assert.equal(store.getString("n"), String(most), "a refused sum was not made");
  assert.equal(store.increment("n", 1n), 2n ** 53n);
  assert.equal(store.increment("n", -1), most, "back in range");
  assert.deepEqual(store.batch([{ op: "increment", key: "n", delta: 10n }]), [{ version: 4, existed: true, number: 2n ** 53n + 9n }]);
  throwsCode("ERR_OVERFLOW", () => store.increment("n", 2n ** 63n));
  throwsCode("ERR_OVERFLOW", () => store.increment("n", 2n ** 63n - 1n));
  throwsCode("ERR_OPTIONS", () => store.increment("n", 0.5));
  store.set("text", "one hundred and more");
  throwsCode("ERR_NOT_NUMBER", () => store.increment("text"));
  await store.close();
});

test("JSON goes in and out", async () => {
  const store = await open();
  store.setJSON("j", { a: [1, "ü"] });
  assert.deepEqual(store.getJSON("j"), { a: [1, "ü"] });
  assert.equal(store.getJSON("absent"), undefined);
  store.set("j", "{");
  throwsCode("ERR_JSON", () => store.getJSON("j"));
  store.set("j", bytes(0xff));
  throwsCode("ERR_VALUE_ENCODING", () => store.getJSON("j"));
  await store.close();
});

test("large requests and replies make room and give it back", async () => {
  const store = await open();
  const large = new Uint8Array(20 << 20).fill(7);
  store.set("large", large);
  store.set("small", "s");
  assert.equal(Buffer.compare(store.get("large"), large), 0);
  assert.equal(store.getString("small"), "s");
  store.setMany([["m1", large], ["m2", "x".repeat(5 << 20)], ["m3", "3"]]);
  assert.deepEqual(store.getMany(["m1", "absent", "m2", "m3", "large"]).map((value) => value?.length), [large.length, undefined, 5 << 20, 1, large.length]);
  assert.deepEqual([...store.entries()].map(([key, value]) => [key, value.length]), [["large", 20 << 20], ["m1", 20 << 20], ["m2", 5 << 20], ["m3", 1], ["small", 1]]);
  await store.close();
});

test("getMany of many keys and a walk over many pages miss nothing", async () => {
  const store = await open();
  const keys = Array.from({ length: 70_000 }, (_, i) => `key:${String(i).padStart(20, "0")}`);
  assert.equal(store.setMany(keys.map((key) => [key, key])).length, keys.length);
  const values = store.getMany(keys);
  assert.equal(values.length, keys.length);
  for (const i of [0, 1, 34_999, 69_999]) assert.equal(Buffer.from(values[i]).toString(), keys[i]);
  assert.deepEqual([...store.keys("key:")], keys);
  assert.equal(store.deleteMany(keys), keys.length);
  await store.close();
});

test("a request beyond the area is refused and leaves the store usable", async () => {
  const store = await open();
  const large = new Uint8Array(64 << 20);
  throwsCode("ERR_BATCH_SIZE", () => store.setMany([1, 2, 3, 4, 5].map((i) => [`k${i}`, large])));
  throwsCode("ERR_VALUE_SIZE", () => store.set("k", new Uint8Array((64 << 20) + 1)));
  throwsCode("ERR_KEY_SIZE", () => store.get("k".repeat(65537)));
  throwsCode("ERR_KEY_SIZE", () => store.get("é".repeat(40000)));
  assert.equal(store.stats().keys, 0);
  await store.close();
});

test("the default budget refuses instead of trapping", async () => {
  const store = await open();
  assert.equal(store.stats().bytesMax, 2 ** 30);
  const small = await open({ maxBytes: 1000 });
  throwsCode("ERR_FULL", () => small.set("k", "x".repeat(1000)));
  await store.close();
  await small.close();
});

test("a watcher is an async iterator that ends with its store", async () => {
  const store = await open();
  const watcher = store.watch("a/");
  const heard = (async () => {
    const events = [];
    for await (const event of watcher) events.push(event.key);
    return events;
  })();
  store.set("a/1", "x");
  await null;
  store.set("b/1", "x");
  store.delete("a/1");
  await new Promise((resolve) => setImmediate(resolve));
  store.set("a/2", "x");
  await new Promise((resolve) => setImmediate(resolve));
  await store.close();
  assert.deepEqual(await heard, ["a/1", "a/1", "a/2"]);
});

test("leaving the loop closes the watcher", async () => {
  const store = await open();
  store.set("before", "");
  const watcher = store.watch();
  store.set("k", "");
  for await (const event of watcher) {
    assert.equal(event.key, "k");
    break;
  }
  assert.equal(store.stats().watchers, 0);
  assert.deepEqual(watcher.poll(), []);
  await store.close();
});

test("after close every call is refused, and closing again is harmless", async () => {
  const store = await open();
  const watcher = store.watch();
  await store.close();
  await store.close();
  const calls = {
    get: ["k"], getEntry: ["k"], getString: ["k"], getJSON: ["k"], has: ["k"], getMany: [[]], set: ["k", "v"], setJSON: ["k", 1],
    setMany: [[]], delete: ["k"], deleteMany: [[]], cas: ["k", 0, "v"], increment: ["k"], expire: ["k", 1], batch: [[]],
    clear: [], list: [], watch: [], setBudget: ["p", 1], stats: [], tick: [],
  };
  for (const [name, args] of Object.entries(calls)) throwsCode("ERR_CLOSED", () => store[name](...args));
  throwsCode("ERR_CLOSED", () => [...store.keys()]);
  throwsCode("ERR_CLOSED", () => [...store.entries()]);
  throwsCode("ERR_CLOSED", () => watcher.poll());
  watcher.close();
  for (const name of ["flush", "snapshot", "restore"]) await rejectsCode("ERR_CLOSED", store[name](new Uint8Array(0)));
});

test("restore takes chunks of any size, and refuses what is no snapshot", async () => {
  const from = await open();
  from.setMany([["a", "1"], ["b", new Uint8Array(3 << 20).fill(5)]]);
  const snapshot = await from.snapshot();
  const to = await open();
  to.set("old", "x");
  async function* inPieces(size) {
    for (let i = 0; i < snapshot.length; i += size) yield snapshot.subarray(i, i + size);
  }
  await to.restore(inPieces(1000));
  assert.deepEqual([...to.keys()], ["a", "b"]);
  await rejectsCode("ERR_SNAPSHOT", to.restore(snapshot.subarray(0, snapshot.length - 1)));
  await rejectsCode("ERR_SNAPSHOT", to.restore(new Uint8Array(0)));
  await rejectsCode("ERR_TYPE", to.restore("INGOTSNP"));
  await rejectsCode("ERR_TYPE", to.restore(["INGOTSNP"]));
  await rejectsCode("ERR_TYPE", to.restore(undefined));
  const failing = { async *[Symbol.asyncIterator]() { yield snapshot.subarray(0, 50); throw new Error("disk"); } };
  await assert.rejects(to.restore(failing), { message: "disk" });
  assert.deepEqual([...to.keys()], ["a", "b"], "unchanged by what was refused");
  await from.close();
  await to.close();
});

test("a store closed while a restore waits for its source refuses the rest", async () => {
  const store = await open();
  const snapshot = await store.snapshot();
  async function* slow() {
    yield snapshot.subarray(0, 10);
    await store.close();
    yield snapshot.subarray(10);
  }
  await rejectsCode("ERR_CLOSED", store.restore(slow()));
});

test("versions beyond the safe numbers are refused before they count", async () => {
  const store = await open();
  store.set("k", "v");
  const at = async (version) => restamped(await store.snapshot(), version);
  await rejectsCode("ERR_RANGE", store.restore(await at(2n ** 52n + 1n)));
  await rejectsCode("ERR_RANGE", store.restore((await at(2n ** 62n)).subarray(0)));
  const tooHigh = await at(2n ** 52n + 1n);
  await rejectsCode("ERR_RANGE", store.restore([tooHigh.subarray(0, 20), tooHigh.subarray(20)]));
  assert.equal(store.getString("k"), "v");
  assert.equal(store.stats().version, 1);
  await store.restore(await at(2n ** 52n));
  assert.equal(store.set("k", "w"), 2 ** 52 + 2);
  assert.equal(store.getEntry("k").version, 2 ** 52 + 2);
  assert.throws(() => store.set("k", "x", { ifVersion: 2 ** 52 + 1 }), { code: "ERR_CONFLICT", version: 2 ** 52 + 2 });
  await store.close();
});

// restamped gives an undamaged snapshot of one small entry another version.
function restamped(snapshot, version) {
  const view = new DataView(snapshot.buffer);
  view.setBigUint64(16, version, true);
  view.setBigUint64(24, xxh3(snapshot.subarray(0, 24)), true);
  const end = snapshot.length - 24 - 2; // the end block: a count and a version of one byte each
  const number = [];
  for (let rest = version; rest > 0n; rest >>= 7n) number.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
  const payload = Uint8Array.of(1, ...number);
  const out = new Uint8Array(end + 24 + payload.length);
  out.set(snapshot.subarray(0, end + 24));
  out.set(payload, end + 24);
  const block = new DataView(out.buffer, end);
  block.setUint32(0, payload.length, true);
  block.setBigUint64(16, xxh3(payload, xxh3(out.subarray(end, end + 16))), true);
  return out;
}
