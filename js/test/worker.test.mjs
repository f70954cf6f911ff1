// openWorker() in Node: the same names as promises, many calls in a message.
import assert from "node:assert/strict";
import fs from "node:fs";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { IngotError, Store, open, openWorker } from "../index.js";
import { WorkerStore } from "../worker/client.js";

const code = (wanted) => (error) => error instanceof IngotError && error.code === wanted || assert.fail(`wanted ${wanted}, got ${error.code}: ${error.stack}`);
const text = (bytes) => new TextDecoder().decode(bytes);

function temporary(t) {
  const dir = fs.mkdtempSync(join(tmpdir(), "ingot-worker-"));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("it has the names of a store", () => {
  assert.deepEqual(Reflect.ownKeys(WorkerStore.prototype).sort(), Reflect.ownKeys(Store.prototype).sort());
});

test("every method does in a worker what it does here", async () => {
  const [here, there] = [await open(), await openWorker()];
  const both = async (run) => {
    const outcome = async (store) => {
      try {
        return await run(store);
      } catch (error) {
        return { code: error.code, message: error.message, version: error.version, index: error.index };
      }
    };
    const [one, other] = [await outcome(here), await outcome(there)];
    assert.deepEqual(other, one, String(run));
  };
  const all = async (walk) => {
    const list = [];
    for await (const each of walk) list.push(each);
    return list;
  };
  const steps = [
    (s) => s.name,
    (s) => s.set("k", "v"),
    (s) => s.set("k", new Uint8Array([1, 2, 3]).subarray(1), { ifVersion: 1 }),
    (s) => s.set("k", "w", { ifAbsent: true }),
    (s) => s.get("k"),
    (s) => s.get("absent"),
    (s) => s.getEntry("k"),
    (s) => s.setJSON("j", { a: [1] }),
    (s) => s.getJSON("j"),
    (s) => s.getString("j"),
    (s) => s.getString("k"),
    (s) => s.has("k"),
    (s) => s.setMany(new Map([["m/1", "1"], ["m/2", new Uint8Array(0)]])),
    (s) => s.getMany(["m/1", "m/2", "m/3"]),
    (s) => s.delete("k"),
    (s) => s.delete("j", { ifVersion: 1 }),
    (s) => s.deleteMany(["m/1", "none"]),
    (s) => s.cas("c", 0, "1"),
    (s) => s.cas("c", 0, "1"),
    (s) => s.increment("n"),
    (s) => s.increment("n", 41n),
    (s) => s.expire("n", 1e9).constructor !== Object,
    (s) => s.batch([{ op: "set", key: "b", value: new Uint8Array([9]) }, { op: "check", key: "b", ifAbsent: true }]),
    (s) => s.batch([{ op: "set", key: "b", value: new Uint8Array([9]) }, { op: "increment", key: "n" }]),
    (s) => s.list({ prefix: "m/", values: true }),
    (s) => s.list({ keyType: "bytes", limit: 1 }),
    (s) => all(s.keys("m/")),
    (s) => all(s.entries("")),
    (s) => all(s.keys("", { limit: 1 })),
    (s) => s.setBudget("p/", 10),
    (s) => s.set("p/k", "too long for that budget"),
    (s) => s.stats(),
    (s) => s.tick(),
    (s) => s.flush(),
    (s) => s.compact(),
    (s) => s.logStats(),
    (s) => s.clear("m/"),
    (s) => s.snapshot().then(({ length }) => length > 100),
    (s) => s.restore(new Uint8Array(3)),
    (s) => s.restore("text"),
    (s) => s.set("", "v"),
    (s) => s.set("k", 7),
    (s) => s.setJSON("k", undefined),
    (s) => s.get("x\ud800"),
    (s) => s.close(),
    (s) => s.get("k"),
    (s) => s.close(),
  ];
  for (const step of steps) await both(step);
});

test("calls that are made together go together, and take effect in order", async () => {
  const store = await openWorker();
  const gets = [];
  for (let i = 0; i < 5000; i++) {
    store.set(`k${i % 10}`, String(i));
    gets.push(store.get(`k${i % 10}`));
  }
  assert.deepEqual((await Promise.all(gets)).map(text), Array.from({ length: 5000 }, (_, i) => String(i)));

  const sets = Array.from({ length: 3000 }, (_, i) => store.set(`s${i % 1500}`, new Uint8Array(1 + (i % 5000)).fill(i)));
  const early = store.get("s0");
  const versions = await Promise.all(sets);
  assert.deepEqual(versions, Array.from({ length: 3000 }, (_, i) => versions[0] + i), "in order, short and long ones");
  assert.deepEqual(await early, new Uint8Array(1501).fill(1500));
  assert.deepEqual(await store.get("s1499"), new Uint8Array(3000).fill(2999));
  await store.clear("s");

  const value = new Uint8Array([1]);
  const done = store.set("copied", value);
  value[0] = 2;
  await done;
  assert.deepEqual(await store.get("copied"), new Uint8Array([1]));

  const snapshot = await store.snapshot();
  store.clear();
  store.restore(snapshot);
  store.set("after", "restore");
  assert.equal((await store.stats()).keys, 12);
  await store.close();
});

test("a call that is refused does not touch its neighbours", async () => {
  const store = await openWorker();
  store.set("k", "v");
  const detached = new Uint8Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  const results = await Promise.allSettled([
    store.get("k"), store.get(""), store.get(7), store.get("k"), store.set("k", () => {}), store.get(Symbol("s")), store.get("k"),
    store.set("k2", detached), store.set("", new Uint8Array(1)), store.set("k3", new Uint8Array([51])), store.get("k3"), store.get("absent"), store.cas("k", 5, "w"), store.set("last", "v", { ifVersion: 99 }),
  ]);
  const said = results.map(({ value, reason }) => reason?.code ?? (value instanceof Uint8Array ? text(value) : value));
  assert.deepEqual(said, ["v", "ERR_KEY_SIZE", "ERR_TYPE", "v", "ERR_TYPE", "ERR_TYPE", "v", "ERR_TYPE", "ERR_KEY_SIZE", 2, "3", undefined, { swapped: false, version: 1 }, "ERR_CONFLICT"]);
  await store.close();
});

test("changes are heard", async () => {
  const store = await openWorker();
  const watcher = store.watch({ prefix: "a/", values: true });
  await watcher.ready();
  store.set("a/1", "one");
  store.set("b/1", "other");
  store.delete("a/1");
  const heard = [];
  for await (const event of watcher) {
    heard.push([event.kind, event.key]);
    if (heard.length === 2) break;
  }
  assert.deepEqual(heard, [["set", "a/1"], ["delete", "a/1"]]);
  const waits = store.watch("z/")[Symbol.asyncIterator]().next();
  await store.flush();
  await store.close();
  assert.equal((await waits).done, true, "it ends with the store");
  await assert.rejects(openWorker().then(async (other) => {
    const wrong = other.watch({ buffer: -1 });
    try {
      for await (const _ of wrong);
    } finally {
      await other.close();
    }
  }), code("ERR_OPTIONS"));
});

test("a write is durable when its promise resolves", async (t) => {
  const dir = temporary(t);
  const store = await openWorker({ persist: "fs", dir });
  await Promise.all(Array.from({ length: 64 }, (_, i) => store.set(`k${i}`, "v")));
  const { syncs } = await store.logStats();
  assert.ok(syncs <= 2, `64 writes had ${syncs} syncs`);
  const copy = `${dir}/copy`;
  fs.mkdirSync(copy);
  for (const name of fs.readdirSync(dir)) if (name.endsWith(".ingot")) fs.copyFileSync(join(dir, name), join(copy, name));
  const other = await open({ persist: "fs", dir: copy });
  assert.equal(other.stats().keys, 64);
  await other.close();
  await assert.rejects(openWorker({ persist: "fs", dir }), code("ERR_LOCKED"));
  await store.close();
  await (await openWorker({ persist: "fs", dir })).close();
});

test("wrong options are refused", async () => {
  await assert.rejects(openWorker({ now: () => 0 }), code("ERR_OPTIONS"));
  await assert.rejects(openWorker({ maxBytes: -1 }), code("ERR_OPTIONS"));
  await assert.rejects(openWorker({ persist: "disk" }), code("ERR_OPTIONS"));
  await assert.rejects(openWorker({ wasm: new Uint8Array(3) }), code("ERR_WASM"));
});

test("an open worker lets the process end, a call that waits does not", async () => {
  const script = `
    import { openWorker } from ${JSON.stringify(new URL("../index.js", import.meta.url).href)};
    const store = await openWorker();
    store.set("k", "v").then((version) => console.log("version", version));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  assert.equal(stdout, "version 1\n");
});
