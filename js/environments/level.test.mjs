// ingot-state/abstract-level, from the packed package: abstract-level's own test suite on
// three kinds of stores, and what is ours alone.
import assert from "node:assert/strict";
import { cp, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { install, pack, run, temporary, write } from "./project.mjs";

const require = createRequire(import.meta.url);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const dir = await temporary(after);
await install(await pack(dir), dir);
for (const name of ["abstract-level", "tape", "@types"]) await symlink(here(`node_modules/${name}`), join(dir, "node_modules", name));
await cp(here("level.spec.cjs"), join(dir, "level.spec.cjs"));

const installed = (name) => import(pathToFileURL(join(dir, "node_modules/ingot-state", name)));
const { open, openWorker } = await installed("index.js");
const { IngotLevel } = await installed("adapters/abstract-level.js");

for (const where of ["memory", "fs", "worker"]) {
  test(`abstract-level's own test suite on a store: ${where}`, async () => {
    const { stdout } = await run(process.execPath, [join(dir, "level.spec.cjs"), where], { cwd: dir, maxBuffer: 64 << 20 }).catch((error) => {
      assert.fail(error.stdout.split("\n").filter((line) => !line.startsWith("ok ")).join("\n").slice(0, 10_000) + error.stderr);
    });
    const [passed, total] = ["pass", "tests"].map((what) => Number(new RegExp(`^# ${what} +(\\d+)$`, "m").exec(stdout)?.[1]));
    assert.equal(passed, total);
    assert.ok(total > 4000, `it has only ${total} assertions`);
  });
}

test("the manifest says what the database can", async (t) => {
  const stores = [await open(), await openWorker(), await open({ persist: "fs", dir: join(dir, "manifest") })];
  t.after(() => Promise.all(stores.map((store) => store.close())));
  const [memory, worker, kept] = stores.map((store) => new IngotLevel(store).supports);
  for (const { implicitSnapshots, explicitSnapshots, has, seek, createIfMissing } of [memory, worker, kept]) {
    assert.deepEqual({ implicitSnapshots, explicitSnapshots, has, seek, createIfMissing }, { implicitSnapshots: false, explicitSnapshots: false, has: true, seek: true, createIfMissing: false });
  }
  assert.deepEqual([memory.getSync, worker.getSync, kept.getSync], [true, false, true]);
  assert.deepEqual([memory.permanence, kept.permanence], [false, true]);
});

// random gives the same numbers for a seed, as xorshift makes them.
function random(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

// Keys as applications have them, some with long common parts, and some without sense.
function someKeys(number) {
  const keys = new Set(["", "\xff", "a".repeat(60_000), `${"a".repeat(60_000)}b`]);
  for (let i = 0; i < 3000; i++) keys.add(`user:${String(i).padStart(8, "0")}`);
  for (let i = 0; i < 500; i++) keys.add(String.fromCharCode(...Array.from({ length: number(6) }, () => number(128))));
  for (let i = 0; i < 300; i++) keys.add(`log/${number(10) * 1e9}/${"x".repeat(number(300))}`);
  return [...keys].map((key) => Buffer.from(key)).sort(Buffer.compare).map(String);
}

for (const [where, opening] of [["a store", open], ["a worker's store", openWorker]]) {
  test(`ranges, backward too, are those of a sorted array, on ${where}`, async (t) => {
    const seed = Number(process.env.INGOT_SEED ?? 1 + Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`INGOT_SEED=${seed}`);
    const number = random(seed);
    const keys = someKeys(number);
    const store = await opening();
    const db = new IngotLevel(store);
    await store.set("before", "x");
    await store.set("level;", "x");
    await db.batch(keys.map((key) => ({ type: "put", key, value: `v${key.slice(-20)}` })));
    const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    for (let round = 0; round < 60; round++) {
      const options = { reverse: number(3) > 0 };
      if (number(2) === 0) options[["gt", "gte"][number(2)]] = keys[number(keys.length)];
      if (number(2) === 0) options[["lt", "lte"][number(2)]] = keys[number(keys.length)] + ["", "0"][number(2)];
      if (number(3) > 0) options.limit = [1, 2, 20, 150, 2500][number(5)];
      let expected = keys.filter((key) => !(options.gt !== undefined && order(key, options.gt) <= 0) && !(options.gte !== undefined && order(key, options.gte) < 0)
        && !(options.lt !== undefined && order(key, options.lt) >= 0) && !(options.lte !== undefined && order(key, options.lte) > 0));
      if (options.reverse) expected.reverse();
      expected = expected.slice(0, options.limit);
      const label = JSON.stringify(options).slice(0, 200);
      assert.deepEqual(await db.keys(options).all(), expected, label);
      assert.deepEqual(await db.values(options).all(), expected.map((key) => `v${key.slice(-20)}`), label);
    }
    await db.clear({ gte: "user:", lt: "user;", reverse: true, limit: 1000 });
    assert.equal((await db.keys({ gte: "user:", lt: "user;" }).all()).at(-1), "user:00001999");
    await db.clear();
    assert.deepEqual(await store.deleteMany(["before", "level;"]), 2); // not the database's
    await db.close();
    assert.equal((await store.stats()).keys, 0);
    await store.close();
  });
}

test("the last key of many costs a few lists, not a walk", async (t) => {
  const store = await open();
  t.after(() => store.close());
  await store.setMany(Array.from({ length: 50_000 }, (_, i) => [`level:user:${String(i).padStart(8, "0")}`, "x"]));
  let listed = 0;
  const list = store.list.bind(store);
  store.list = (options) => {
    const page = list(options);
    listed += page.entries.length + 1;
    return page;
  };
  const db = new IngotLevel(store);
  assert.deepEqual(await db.keys({ reverse: true, limit: 1 }).all(), ["user:00049999"]);
  assert.ok(listed < 500, `it has listed ${listed} keys`);
  listed = 0;
  assert.equal((await db.keys({ reverse: true }).all()).length, 50_000);
  assert.ok(listed < 200_000, `it has listed ${listed} keys`);
});

test("a batch may name a key twice, in any encoding: the last one counts", async (t) => {
  const store = await open();
  t.after(() => store.close());
  const db = new IngotLevel(store);
  await db.batch([
    { type: "put", key: "é", value: "1" },
    { type: "put", key: Buffer.from("é"), value: "2", keyEncoding: "buffer" },
    { type: "put", key: "gone", value: "1" },
    { type: "del", key: "gone" },
  ]);
  assert.deepEqual(await db.iterator().all(), [["é", "2"]]);
});

test("time to live, and writes that are durable when they resolve", async (t) => {
  let now = 1_000_000;
  const store = await open({ now: () => now, persist: "fs", dir: join(dir, "kept"), sync: "never" });
  t.after(() => store.close());
  const db = new IngotLevel(store, { valueEncoding: "json" });
  await db.put("a", { n: 1 }, { ttl: 50 });
  await db.batch([{ type: "put", key: "b", value: 2, ttl: 100 }]);
  assert.ok(store.logStats().pendingBytes > 0);
  await db.put("c", 3, { sync: true });
  assert.equal(store.logStats().pendingBytes, 0);
  now += 50;
  assert.deepEqual(await db.iterator().all(), [["b", 2], ["c", 3]]);
  now += 50;
  assert.deepEqual(await db.getMany(["a", "b", "c"]), [undefined, undefined, 3]);
});

test("with an empty base the database is the store", async (t) => {
  const store = await open();
  t.after(() => store.close());
  store.set("theirs", "1");
  const db = new IngotLevel(store, { base: "" });
  assert.equal(await db.get("theirs"), "1");
  assert.deepEqual(await db.keys({ gte: "", reverse: true }).all(), ["theirs"]);
  await assert.rejects(db.put("", "x"), { code: "ERR_KEY_SIZE" });
  await db.clear();
  assert.equal(store.stats().keys, 0);
});

test("a store that is closed says so", async () => {
  const store = await open();
  const db = new IngotLevel(store);
  await store.close();
  await assert.rejects(db.get("a"), { code: "ERR_CLOSED" });
  await assert.rejects(db.batch([{ type: "put", key: "a", value: "b" }]), { code: "ERR_CLOSED" });
  await assert.rejects(db.iterator().all(), { code: "ERR_CLOSED" });
  await db.close();
});

const TYPED = `
import { AbstractLevel } from "abstract-level";
import { open, openWorker } from "ingot-state";
import { IngotLevel } from "ingot-state/abstract-level";

async function main() {
  const db = new IngotLevel<string, { n: number }>(await open(), { base: "x:", valueEncoding: "json" });
  const any: AbstractLevel<any, string, { n: number }> = db;
  await db.put("a", { n: 1 }, { ttl: 1000, sync: true });
  await db.batch([{ type: "put", key: "a", value: { n: 2 }, ttl: 5 }, { type: "del", key: "b" }], { sync: true });
  await db.batch().put("a", { n: 3 }).write();
  const found: { n: number } | undefined = await db.get("a");
  for await (const [key, value] of db.iterator({ gte: "a", reverse: true })) key.length + value.n;
  const sub = db.sublevel<string, string>("s", { valueEncoding: "utf8" });
  await sub.put("k", "v");
  new IngotLevel(await openWorker());
  // @ts-expect-error a value has the type that was said
  await db.put("a", "text");
  // @ts-expect-error the base is text
  new IngotLevel(await open(), { base: 1 });
  // @ts-expect-error a store is wanted
  new IngotLevel("./directory");
  return [any, found];
}
main();
`;

test("its types are those of abstract-level", async () => {
  const tsc = require.resolve("typescript/lib/tsc.js");
  const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: "es2023", lib: ["es2023", "dom", "dom.asynciterable", "esnext.disposable"], types: ["node"], module: "nodenext" };
  await write(dir, { "typed.mts": TYPED, "typed.cts": TYPED, "tsconfig.json": JSON.stringify({ compilerOptions, files: ["typed.mts", "typed.cts"] }) });
  await run(process.execPath, [tsc, "-p", dir]).catch(({ stdout }) => assert.fail(stdout));
});
