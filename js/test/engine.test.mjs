// How the package meets engines that are broken, foreign, of another version, or
// that trap; and what it lets an engine have of the world.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { WasiFiles } from "../persist/wasi-files.js";
import { IngotError, open } from "../index.js";
import { fakeEngine, withMemoryMax } from "./fake-engine.mjs";

const enginePath = new URL("../dist/engine.wasm", import.meta.url);
const engineBytes = new Uint8Array(await readFile(enginePath));
const engineModule = await WebAssembly.compile(engineBytes);

const rejectsCode = (code, promise, pattern = /./) =>
  assert.rejects(promise, (error) => (error instanceof IngotError && error.code === code && pattern.test(error.message)) || assert.fail(`wanted ${code}, got ${error.code}: ${error.stack}`));

// All exports of the real engine, each returning 0, with those of `changes`.
function fake(changes = {}) {
  const functions = {};
  for (const { name, kind } of WebAssembly.Module.exports(engineModule)) {
    if (kind === "function") functions[name] = 0;
  }
  return { ...functions, ingot_abi: 1, ingot_open: 1, ingot_area_bytes: 1 << 18, ...changes };
}

test("the engine can come in every form", async () => {
  const buffer = engineBytes.slice().buffer;
  const forms = [undefined, engineModule, engineBytes, buffer, enginePath, enginePath.href, new Response(engineBytes, { headers: { "content-type": "application/wasm" } }), new Response(engineBytes)];
  for (const wasm of forms) {
    const store = await open({ wasm });
    assert.equal(store.set("k", "v"), 1);
    await store.close();
  }
});

test("a file that is no engine is refused by name", async () => {
  await rejectsCode("ERR_WASM", open({ wasm: engineBytes.subarray(0, 100_000) }), /truncated/);
  await rejectsCode("ERR_WASM", open({ wasm: new Uint8Array(0) }));
  await rejectsCode("ERR_WASM", open({ wasm: new TextEncoder().encode("<!doctype html>") }));
  await rejectsCode("ERR_WASM", open({ wasm: new Response(engineBytes.subarray(0, 5000), { headers: { "content-type": "application/wasm" } }) }));
  await rejectsCode("ERR_WASM_LOAD", open({ wasm: pathToFileURL("/nonexistent/engine.wasm") }), /nonexistent/);
  await rejectsCode("ERR_WASM_LOAD", open({ wasm: new Response("", { status: 404 }) }), /404/);
  await rejectsCode("ERR_WASM_LOAD", open({ wasm: "http://[" }));
  await rejectsCode("ERR_TYPE", open({ wasm: 7 }));
  await rejectsCode("ERR_TYPE", open({ wasm: {} }));
});

test("another program is refused, and another ABI version", async () => {
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine({ add: 0 }) }), /no export ingot_abi/);
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine(fake({ ingot_abi: 2 })) }), /version 2 .* speaks 1/);
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine({ ingot_abi: 2 }) }), /version 2/);
  const { ingot_get: _, ...without } = fake();
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine(without) }), /ingot_get/);
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine(fake(), { memory: false }) }), /memory/);
  await rejectsCode("ERR_ABI", open({ wasm: fakeEngine(fake(), { imports: [["env", "abort"]] }) }), /imports env\.abort/);
  await rejectsCode("ERR_POISONED", open({ wasm: fakeEngine(fake({ _initialize: undefined })) }), /unreachable/);
});

test("a trap poisons the store: every later call says so", async () => {
  const trapping = { get: (s) => s.get("k"), set: (s) => s.set("k", "v"), exists: (s) => s.has("k"), list: (s) => s.list(), batch: (s) => s.batch([]) };
  for (const [name, call] of Object.entries(trapping)) {
    const store = await open({ wasm: fakeEngine(fake({ [`ingot_${name}`]: undefined })) });
    assert.throws(() => call(store), (error) => error.code === "ERR_POISONED" && error.cause instanceof WebAssembly.RuntimeError && /unreachable/.test(error.message));
    for (const later of [...Object.values(trapping), (s) => s.stats(), (s) => s.tick(), (s) => s.watch()]) {
      assert.throws(() => later(store), { code: "ERR_POISONED" });
    }
    for (const later of ["flush", "snapshot", "restore"]) await rejectsCode("ERR_POISONED", store[later](new Uint8Array(0)));
    await store.close();
    assert.throws(() => store.get("k"), { code: "ERR_CLOSED" });
  }
});

test("a trap in one store leaves others alone", async () => {
  const healthy = await open();
  healthy.set("k", "v");
  const failing = await open({ wasm: fakeEngine(fake({ ingot_get: undefined })) });
  assert.throws(() => failing.get("k"), { code: "ERR_POISONED" });
  assert.equal(healthy.getString("k"), "v");
  await healthy.close();
});

test("a crash of the real engine names its reason", async () => {
  // Without a budget the engine runs into the end of its memory, here at 64 MiB.
  const store = await open({ wasm: withMemoryMax(engineBytes, 1024), maxBytes: 0 });
  const waiting = store.watch();
  const value = new Uint8Array(2 << 20);
  assert.throws(() => {
    for (let i = 0; i < 100; i++) store.set(`k${i}`, value);
  }, (error) => error.code === "ERR_POISONED" && /out of memory|cannot allocate/.test(error.message) || assert.fail(error));
  assert.throws(() => store.get("k0"), { code: "ERR_POISONED" });
  assert.throws(() => waiting.poll(), { code: "ERR_POISONED" });
  waiting.close();
  await store.close();
});

test("now is the only clock of expiry", async () => {
  let time = 1000.75;
  const store = await open({ now: () => time });
  store.set("k", "v", { ttl: 10 });
  assert.equal(store.getEntry("k").expiresAt, 1010);
  time = 1009.999;
  assert.equal(store.has("k"), true);
  time = 1010;
  assert.equal(store.has("k"), false);
  await store.close();
});

test("a clock that fails poisons, one that calls back is told", async () => {
  for (const wrong of [NaN, -1, "5", 2 ** 60, undefined, 5n]) {
    await rejectsCode("ERR_CLOCK", open({ now: () => wrong }));
    let time = 5;
    const store = await open({ now: () => time });
    time = wrong;
    store.set("k", "v"); // needs no time
    assert.throws(() => store.set("k", "v", { ttl: 1 }), (error) => error.code === "ERR_POISONED" && error.cause.code === "ERR_CLOCK");
  }
  let broken = false;
  const throwing = await open({
    now: () => {
      if (broken) throw new Error("no time");
      return 5;
    },
  });
  broken = true;
  assert.throws(() => throwing.set("k", "v", { ttl: 1 }), { code: "ERR_POISONED", message: /no time/ });

  let inner = null;
  let reentrant = null;
  const now = () => {
    try {
      reentrant?.get("k");
    } catch (error) {
      inner = error;
    }
    return 5;
  };
  reentrant = await open({ now });
  reentrant.set("k", "v", { ttl: 1 });
  assert.equal(inner.code, "ERR_BUSY");
  assert.equal(reentrant.getString("k"), "v", "the store goes on");
  await reentrant.close();
});

test("options of open are checked", async () => {
  for (const persist of ["opfs", "idb"]) await rejectsCode("ERR_PERSIST_UNSUPPORTED", open({ persist }));
  for (const persist of [true, "disk", null, 1]) await rejectsCode("ERR_OPTIONS", open({ persist }));
  await rejectsCode("ERR_TYPE", open({ name: 1 }));
  await rejectsCode("ERR_TYPE", open({ now: 1 }));
  await rejectsCode("ERR_TYPE", open(null));
  await rejectsCode("ERR_TYPE", open({ maxBytes: "1" }));
  await rejectsCode("ERR_OPTIONS", open({ maxBytes: -1 }));
  await rejectsCode("ERR_TYPE", open({ evict: 1 }));
  await rejectsCode("ERR_OPTIONS", open({ evict: true, maxBytes: 0 }));
  await rejectsCode("ERR_OPTIONS", open({ maxValueBytes: 2 ** 32 }));
  await rejectsCode("ERR_OPTIONS", open({ maxValueBytes: 2 ** 32 }));
  const named = await open({ name: "sessions" });
  assert.equal(named.name, "sessions");
  await named.close();
});

test("stores of one name share nothing", async () => {
  const [one, two] = await Promise.all([open({ name: "same" }), open({ name: "same" })]);
  one.set("k", "v");
  assert.equal(two.get("k"), undefined);
  await one.close();
  await two.close();
});

test("the engine asks for nothing but what the shim grants", () => {
  const wanted = WebAssembly.Module.imports(engineModule);
  assert.deepEqual([...new Set(wanted.map(({ module }) => module))], ["wasi_snapshot_preview1"]);
  for (const { name } of wanted) assert.doesNotMatch(name, /^sock_/, "a build that reaches for sockets shows here");
  const files = new Set(Object.keys(new WasiFiles({}).calls()));
  const others = wanted.map(({ name }) => name).filter((name) => /^(path|fd)_/.test(name) && !files.has(name));
  assert.deepEqual([...new Set(others)].sort(), ["fd_fdstat_set_flags", "fd_write"], "what the engine may ask of files is offered");
});
