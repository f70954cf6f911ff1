// Bad input at every place that takes input: each method refuses it with its code, here
// and in a worker, and the store is as it was. Single cases are in the other files.
import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { xxh3 } from "../../conformance/xxh3.mjs";
import { IngotError, open, openWorker } from "../index.js";
import { fakeEngine, withMemoryMax } from "./fake-engine.mjs";

const engineBytes = new Uint8Array(fs.readFileSync(new URL("../dist/engine.wasm", import.meta.url)));
const STORES = [["a store", open], ["a worker's store", openWorker]];

// refused wants a call to throw or reject with a code, and calls nothing else a refusal.
async function refused(codes, label, run) {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof IngotError, `${label}: ${error.stack}`);
    assert.ok([codes].flat().includes(error.code), `${label}: wanted ${codes}, got ${error.code}: ${error.message}`);
    return;
  }
  assert.fail(`${label} was taken`);
}

// Every place of a key, a prefix and a value.
const KEYS = {
  get: (s, key) => s.get(key),
  getEntry: (s, key) => s.getEntry(key),
  getString: (s, key) => s.getString(key),
  getJSON: (s, key) => s.getJSON(key),
  has: (s, key) => s.has(key),
  getMany: (s, key) => s.getMany(["fine", key]),
  set: (s, key) => s.set(key, "v"),
  setJSON: (s, key) => s.setJSON(key, 1),
  setMany: (s, key) => s.setMany([["fine", "v"], [key, "v"]]),
  delete: (s, key) => s.delete(key),
  deleteMany: (s, key) => s.deleteMany(["fine", key]),
  cas: (s, key) => s.cas(key, 0, "v"),
  increment: (s, key) => s.increment(key),
  expire: (s, key) => s.expire(key, 1),
  batch: (s, key) => s.batch([{ op: "set", key: "fine", value: "v" }, { op: "set", key, value: "v" }]),
};
const PREFIXES = {
  clear: (s, prefix) => s.clear(prefix),
  list: (s, prefix) => s.list({ prefix }),
  after: (s, after) => s.list({ after }),
  keys: async (s, prefix) => {
    for await (const _ of s.keys(prefix));
  },
  entries: async (s, prefix) => {
    for await (const _ of s.entries(prefix));
  },
  watch: async (s, prefix) => {
    const watcher = s.watch({ prefix });
    try {
      await watcher.ready?.();
    } finally {
      await watcher.close();
    }
  },
  setBudget: (s, prefix) => s.setBudget(prefix, 1000),
};
const VALUES = {
  set: (s, value) => s.set("k", value),
  setMany: (s, value) => s.setMany([["fine", "v"], ["k", value]]),
  cas: (s, value) => s.cas("k", 0, value),
  batch: (s, value) => s.batch([{ op: "set", key: "fine", value: "v" }, { op: "set", key: "k", value }]),
};

const detached = () => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};

for (const [where, opening] of STORES) {
  // A worker's store cannot even send what is detached.
  const DETACHED = opening === open ? "ERR_DETACHED" : ["ERR_DETACHED", "ERR_TYPE"];

  test(`wrong types, halves of surrogate pairs, detached buffers and sizes at every place of ${where}`, async () => {
    const store = await opening();
    await store.set("kept", "v");
    for (const [name, run] of Object.entries(KEYS)) {
      for (const key of [undefined, null, 7, true, {}, [1], new ArrayBuffer(1), new Uint16Array(1), () => {}, Symbol("s")]) await refused("ERR_TYPE", `${name} of ${String(key)}`, () => run(store, key));
      for (const half of ["\ud800", "a\udc00", `${"x".repeat(100)}\ud83d`]) await refused("ERR_KEY_ENCODING", `${name} of half a pair`, () => run(store, half));
      await refused(DETACHED, `${name} of a detached array`, () => run(store, detached()));
      await refused("ERR_KEY_SIZE", `${name} of no byte`, () => run(store, ""));
      await refused("ERR_KEY_SIZE", `${name} of too many bytes`, () => run(store, new Uint8Array((64 << 10) + 1)));
      await refused("ERR_KEY_SIZE", `${name} of too long a text`, () => run(store, "é".repeat((32 << 10) + 1)));
    }
    for (const [name, run] of Object.entries(PREFIXES)) {
      for (const prefix of [7, true, {}, new ArrayBuffer(1)]) await refused("ERR_TYPE", `${name} of ${String(prefix)}`, () => run(store, prefix));
      await refused("ERR_KEY_ENCODING", `${name} of half a pair`, () => run(store, "\ud800"));
      await refused(DETACHED, `${name} of a detached array`, () => run(store, detached()));
      await refused("ERR_OPTIONS", `${name} of too many bytes`, () => run(store, "x".repeat((64 << 10) + 1)));
    }
    for (const [name, run] of Object.entries(VALUES)) {
      for (const value of [undefined, null, 7, {}, new ArrayBuffer(1), new Float64Array(1), () => {}]) await refused("ERR_TYPE", `${name} of the value ${String(value)}`, () => run(store, value));
      await refused("ERR_VALUE_ENCODING", `${name} of half a pair`, () => run(store, "a\ud800"));
      await refused(DETACHED, `${name} of a detached value`, () => run(store, detached()));
    }
    assert.deepEqual((await store.list()).entries.map(({ key }) => key), ["kept"]);
    assert.equal((await store.stats()).version, 1, "nothing has changed");
    await store.close();
  });

  test(`huge values at every place of ${where}`, async () => {
    const store = await opening();
    const longest = new Uint8Array((64 << 20) + 1);
    for (const [name, run] of Object.entries(VALUES)) await refused("ERR_VALUE_SIZE", `${name} of 64 MiB and a byte`, () => run(store, longest));
    await refused("ERR_VALUE_SIZE", "a text", () => store.set("k", "x".repeat(longest.length)));
    await refused("ERR_VALUE_SIZE", "a JSON text", () => store.setJSON("k", "x".repeat(longest.length)));
    const value = longest.subarray(1);
    await store.set("k", value);
    assert.equal((await store.get("k")).length, value.length, "the longest that is allowed");
    await store.close();
    const small = await opening({ maxValueBytes: 10 });
    for (const [name, run] of Object.entries(VALUES)) await refused("ERR_VALUE_SIZE", `${name} of 11 bytes`, () => run(small, "x".repeat(11)));
    await small.close();
  });

  test(`after close every method of ${where} says so`, async () => {
    const store = await opening();
    const snapshot = await store.snapshot();
    await store.close();
    await store.close();
    const all = { ...KEYS, ...PREFIXES, stats: (s) => s.stats(), tick: (s) => s.tick(), flush: (s) => s.flush(), compact: (s) => s.compact(), logStats: (s) => s.logStats(), snapshot: (s) => s.snapshot(), restore: (s) => s.restore(snapshot) };
    for (const [name, run] of Object.entries(all)) await refused("ERR_CLOSED", name, () => run(store, "k"));
  });
}

test("an engine that lacks what a kept store needs is refused, and its directory is free", async (t) => {
  const dir = fs.mkdtempSync(join(tmpdir(), "ingot-bad-"));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const exports = WebAssembly.Module.exports(await WebAssembly.compile(engineBytes)).filter(({ kind }) => kind === "function");
  const functions = { ...Object.fromEntries(exports.map(({ name }) => [name, 0])), ingot_abi: 1, ingot_area_bytes: 1 << 18 };
  const { ingot_flush: _, ...without } = functions;
  for (const [wasm, code] of [[fakeEngine(without), "ERR_ABI"], [fakeEngine({ ...functions, ingot_abi: 7 }), "ERR_ABI"], [engineBytes.subarray(0, 1 << 20), "ERR_WASM"], [new Uint8Array(100), "ERR_WASM"]]) {
    await refused(code, "open", () => open({ persist: "fs", dir, wasm }));
    await refused(code, "openWorker", () => openWorker({ persist: "fs", dir, wasm }));
  }
  await (await open({ persist: "fs", dir })).close();
});

test("what a kept store had acknowledged is there after the real engine has trapped", async (t) => {
  const dir = fs.mkdtempSync(join(tmpdir(), "ingot-bad-"));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const store = await open({ persist: "fs", dir, sync: "always", maxBytes: 0, wasm: withMemoryMax(engineBytes, 1024) });
  const value = new Uint8Array(1 << 20).fill(7);
  let acknowledged = 0;
  await refused("ERR_POISONED", "a store whose memory ends", () => {
    for (; acknowledged < 200; acknowledged++) store.set(`k${acknowledged}`, value);
  });
  await refused("ERR_POISONED", "the next call", () => store.get("k0"));
  await refused("ERR_POISONED", "flush", () => store.flush());
  await store.close().catch((error) => assert.equal(error.code, "ERR_POISONED"));
  const again = await open({ persist: "fs", dir });
  assert.ok(acknowledged > 0);
  for (let i = 0; i < acknowledged; i++) assert.equal(Buffer.compare(again.get(`k${i}`), value), 0, `k${i}`);
  await again.close();
});

test("a trap in a worker poisons its store alone, with a code", async () => {
  const exports = WebAssembly.Module.exports(await WebAssembly.compile(engineBytes)).filter(({ kind }) => kind === "function");
  const wasm = fakeEngine({ ...Object.fromEntries(exports.map(({ name }) => [name, 0])), ingot_abi: 1, ingot_open: 1, ingot_area_bytes: 1 << 18, ingot_exists: undefined });
  const [store, other] = [await openWorker({ wasm }), await openWorker()];
  await refused("ERR_POISONED", "has", () => store.has("k"));
  await refused("ERR_POISONED", "get", () => store.get("k"));
  assert.equal(await other.set("k", "v"), 1);
  await other.close();
  await store.close().catch((error) => assert.equal(error.code, "ERR_POISONED"));
});

// newer gives a file's header another format version, and the checksum that belongs to it.
function newer(bytes, version, headerBytes) {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer, copy.byteOffset);
  view.setUint16(8, version, true);
  view.setBigUint64(headerBytes - 8, xxh3(copy.subarray(0, headerBytes - 8)), true);
  return copy;
}

test("what a newer version has written is refused as that, and left as it is", async (t) => {
  const dir = fs.mkdtempSync(join(tmpdir(), "ingot-bad-"));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const store = await open({ persist: "fs", dir });
  store.set("k", "v");
  await store.close();
  for (const compacted of [false, true]) {
    if (compacted) {
      const again = await open({ persist: "fs", dir });
      await again.compact();
      await again.close();
    }
    const kind = compacted ? "snap" : "log-";
    const name = fs.readdirSync(dir).filter((file) => file.startsWith(kind)).sort().at(-1);
    const path = join(dir, name);
    const bytes = new Uint8Array(fs.readFileSync(path));
    fs.writeFileSync(path, newer(bytes, compacted ? 3 : 2, 96));
    for (const opening of [open, openWorker]) await refused("ERR_FORMAT_VERSION", name, () => opening({ persist: "fs", dir }));
    fs.writeFileSync(path, bytes);
    const back = await open({ persist: "fs", dir });
    assert.equal(back.getString("k"), "v");
    await back.close();
  }
  const memory = await open();
  memory.set("k", "v");
  await refused("ERR_SNAPSHOT", "a snapshot", async () => memory.restore(newer(await memory.snapshot(), 9, 32)));
  assert.equal(memory.getString("k"), "v");
  await memory.close();
});
