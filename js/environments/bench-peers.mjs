// Compares stores in one Node process: get, set of 64 B values, and many gets in one call,
// of ingot, a Map, a Map that copies as a store must, and the packages below. All run
// interleaved, so that what disturbs the machine disturbs all alike. bench/js makes the
// section of docs/BENCHMARKS.md from what this writes; `make bench-js` runs both.
//
//	node --expose-gc bench-peers.mjs [--rounds=15] [--warm=40] [--keys=10000]
//
// A round goes through all keys in slices of 1000, all contestants in turn, and takes the
// median slice: one in which the system did something else counts for nothing.
//
// It writes JSON: for each operation and contestant the nanoseconds per key of each round,
// and who is left out, with the reason.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { open } from "../index.js";

const VALUE_BYTES = 64;
const MANY = 100;
const SLICE = 1000;
// What is no WebAssembly is warm sooner: that V8 compiles a second time, in the background,
// while it runs.
const WARM_SLOW = 8;

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "15" }, warm: { type: "string", default: "40" }, keys: { type: "string", default: "10000" } } });
const [rounds, warm, count] = [options.rounds, options.warm, options.keys].map(Number);
if (![rounds, warm, count].every((number) => Number.isInteger(number) && number > 0) || count % SLICE !== 0) {
  throw new Error(`--rounds and --warm are whole numbers from 1 on, --keys a multiple of ${SLICE}`);
}

const keys = Array.from({ length: count }, (_, i) => `user:${String((i * 7919) % count).padStart(8, "0")}`);
const cut = (list, size) => Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));
const slices = cut(keys, SLICE);
const slicesOfGroups = slices.map((slice) => cut(slice, MANY));
const value = new Uint8Array(VALUE_BYTES).fill(65);
const text = "A".repeat(VALUE_BYTES);
const dir = await mkdtemp(join(tmpdir(), "ingot-bench-peers-"));
let sink = 0; // keeps results in use

// Each contestant is { set, get, many, close }: set and get go through some keys, many
// through some groups of keys, and may be asynchronous. What a package offers to be fast is used, and nothing is made durable.
const contestants = {
  async ingot() {
    const store = await open();
    return {
      set: (keys) => keys.forEach((key) => (sink += store.set(key, value))),
      get: (keys) => keys.forEach((key) => (sink += store.get(key).length)),
      many: (groups) => groups.forEach((group) => (sink += store.getMany(group).length)),
      close: () => store.close(),
    };
  },
  async Map() {
    const map = new Map();
    return {
      set: (keys) => keys.forEach((key) => map.set(key, value)),
      get: (keys) => keys.forEach((key) => (sink += map.get(key).length)),
    };
  },
  async "copying Map"() {
    const map = new Map();
    return {
      set: (keys) => keys.forEach((key) => map.set(key, value.slice())),
      get: (keys) => keys.forEach((key) => (sink += map.get(key).slice().length)),
    };
  },
  async lmdb() {
    const lmdb = await import("lmdb");
    const db = lmdb.open({ path: join(dir, "lmdb"), encoding: "binary", noSync: true });
    return {
      set: (keys) => db.transactionSync(() => keys.forEach((key) => db.putSync(key, value))),
      get: (keys) => keys.forEach((key) => (sink += db.getBinary(key).length)),
      many: async (groups) => {
        for (const group of groups) sink += (await db.getMany(group)).length;
      },
      close: () => db.close(),
    };
  },
  async "better-sqlite3"() {
    const { default: Database } = await import("better-sqlite3");
    return sqlite(new Database(":memory:"));
  },
  async "node:sqlite"() {
    const { DatabaseSync } = await import("node:sqlite");
    return sqlite(new DatabaseSync(":memory:"));
  },
  async "classic-level"() {
    const { ClassicLevel } = await import("classic-level");
    const db = new ClassicLevel(join(dir, "level"), { valueEncoding: "view" });
    await db.open();
    return {
      set: async (keys) => {
        for (const group of cut(keys, MANY)) await Promise.all(group.map((key) => db.put(key, value)));
      },
      get: (keys) => keys.forEach((key) => (sink += db.getSync(key).length)),
      many: async (groups) => {
        for (const group of groups) sink += (await db.getMany(group)).length;
      },
      close: () => db.close(),
    };
  },
  async keyv() {
    const { default: Keyv } = await import("keyv");
    const keyv = new Keyv();
    return {
      set: async (keys) => {
        for (const key of keys) await keyv.set(key, text);
      },
      get: async (keys) => {
        for (const key of keys) sink += (await keyv.get(key)).length;
      },
      many: async (groups) => {
        for (const group of groups) sink += (await keyv.get(group)).length;
      },
    };
  },
  async "sql.js"() {
    const { default: start } = await import("sql.js");
    const db = new (await start()).Database();
    db.run(TABLE);
    const [select, insert] = [db.prepare(SELECT), db.prepare(INSERT)];
    return {
      set: (keys) => {
        db.run("BEGIN");
        for (const key of keys) insert.run([key, value]);
        db.run("COMMIT");
      },
      get: (keys) => {
        for (const key of keys) {
          select.bind([key]);
          select.step();
          sink += select.get()[0].length;
        }
      },
      close: () => db.close(),
    };
  },
};

const TABLE = "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID";
const SELECT = "SELECT value FROM entries WHERE key = ?";
const INSERT = "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

// sqlite is better-sqlite3 and node:sqlite, whose methods have the same names.
function sqlite(db) {
  db.exec(TABLE);
  const [select, insert] = [db.prepare(SELECT), db.prepare(INSERT)];
  const some = db.prepare(`SELECT key, value FROM entries WHERE key IN (${Array(MANY).fill("?").join(", ")})`);
  return {
    set: (keys) => {
      db.exec("BEGIN");
      for (const key of keys) insert.run(key, value);
      db.exec("COMMIT");
    },
    get: (keys) => keys.forEach((key) => (sink += select.get(key).value.length)),
    many: (groups) => groups.forEach((group) => (sink += some.all(...group).length)),
    close: () => db.close(),
  };
}

const REASONS = {
  "better-sqlite3": "its binary is not in the npm package: an install script fetches it from elsewhere, or compiles it",
  "node:sqlite": "this Node does not have it (from 22.13 on)",
};

const [runners, leftOut] = [{}, []];
for (const [name, make] of Object.entries(contestants)) {
  try {
    runners[name] = await make();
  } catch (error) {
    if (!Object.hasOwn(REASONS, name)) throw error; // it is a dependency
    leftOut.push({ name, reason: REASONS[name] });
  }
}

async function nanosPerKey(run, some) {
  const start = process.hrtime.bigint();
  await run(some);
  return Number(process.hrtime.bigint() - start) / SLICE;
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

// oneRound gives each of these contestants' time of one operation.
async function oneRound(operation, names) {
  const times = Object.fromEntries(names.map((name) => [name, []]));
  globalThis.gc?.();
  for (const some of operation === "many" ? slicesOfGroups : slices) {
    for (const name of names) times[name].push(await nanosPerKey(runners[name][operation], some));
  }
  return Object.entries(times).map(([name, list]) => [name, median(list)]);
}

const LONG_WARM = new Set(["ingot", "Map", "copying Map", "sql.js"]);
const nanos = { set: {}, get: {}, many: {} };
for (let round = -warm; round < rounds; round++) {
  for (const [operation, times] of Object.entries(nanos)) {
    const names = Object.keys(runners).filter((name) => runners[name][operation] !== undefined && (round === -warm || round >= -WARM_SLOW || LONG_WARM.has(name)));
    for (const [name, time] of await oneRound(operation, names)) if (round >= 0) (times[name] ??= []).push(time);
  }
}

for (const runner of Object.values(runners)) await runner.close?.();
await rm(dir, { recursive: true, force: true });
if (!(sink > count)) throw new Error("nothing was read");
console.log(JSON.stringify({ node: process.version, keys: count, valueBytes: VALUE_BYTES, many: MANY, rounds, leftOut, nanos }));
