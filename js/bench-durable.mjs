// Measures kept stores in Node: a group of 64 durable sets against one write and
// fdatasync of as many bytes, calls to a worker, and opening. All run interleaved, so
// that a noisy disk disturbs all alike; a figure is the median of the rounds. Run it
// with `npm run bench:durable`; DIR says on which disk.
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open, openWorker } from "./index.js";

const ROUNDS = Number(process.env.ROUNDS ?? 100);
const GROUP = 64;
const KEYS = 100_000;
const dir = fs.mkdtempSync(join(process.env.DIR ?? tmpdir(), "ingot-bench-"));
const value = new Uint8Array(64).fill(65);
const keys = Array.from({ length: KEYS }, (_, i) => `user:${String((i * 7919) % KEYS).padStart(8, "0")}`);
const groupOf = (round) => keys.slice((round * GROUP) % 9000, ((round * GROUP) % 9000) + GROUP);

const micros = async (run) => {
  const start = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - start) / 1e3;
};
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const group = await open({ persist: "fs", dir: join(dir, "group") });
const each = await open({ persist: "fs", dir: join(dir, "always"), sync: "always" });
const worker = await openWorker({ persist: "fs", dir: join(dir, "worker") });
const memory = await openWorker();
await memory.setMany(keys.slice(0, 10_000).map((key) => [key, value]));
for (const store of [group, each, worker]) {
  await store.set("first", value); // makes the next file of the log too
  await store.flush();
}
// V8 compiles the engine a second time while it runs. These keys stay: sets replace.
for (let i = 0; i < 6; i++) {
  for (const store of [group, worker]) await Promise.all(keys.slice(0, 10_000).map((key) => store.set(key, value)));
  each.setMany(keys.slice(0, 10_000).map((key) => [key, value]));
}
// As many bytes as the log has for a group, in a file whose blocks are on the disk.
const before = group.logStats().logBytes;
for (const key of groupOf(0)) group.set(key, value);
await group.flush();
const bytes = new Uint8Array(group.logStats().logBytes - before).fill(1);
const raw = fs.openSync(join(dir, "raw"), "w");
fs.writeSync(raw, new Uint8Array(64 << 20));
fs.fsyncSync(raw);
let at = 0;

const contestants = {
  "one write and fdatasync": () => {
    fs.writeSync(raw, bytes, 0, bytes.length, (at += bytes.length) % (60 << 20));
    fs.fdatasyncSync(raw);
  },
  "64 sets, sync \"group\", flush()": async (round) => {
    for (const key of groupOf(round)) group.set(key, value);
    await group.flush();
  },
  "64 sets in a worker": (round) => Promise.all(groupOf(round).map((key) => worker.set(key, value))),
  "one set, sync \"always\"": (round) => each.set(keys[round], value),
};
const times = {};
for (let round = -20; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(contestants)) {
    const time = await micros(() => run(round + 20));
    if (round >= 0) (times[name] ??= []).push(time);
  }
}
console.log(`Node ${process.version}, ${ROUNDS} rounds, ${bytes.length} bytes a group, in ${dir}; us, and the ratio to the first`);
const base = median(times["one write and fdatasync"]);
for (const [name, list] of Object.entries(times)) console.log(`${name.padEnd(34)} ${median(list).toFixed(0).padStart(8)} ${(median(list) / base).toFixed(2).padStart(7)}`);

const hops = {
  "one get, alone": { calls: 1, run: () => memory.get(keys[1]) },
  "100 gets together, each": { calls: 100, run: () => Promise.all(keys.slice(0, 100).map((key) => memory.get(key))) },
  "10,000 gets together, each": { calls: 10_000, run: () => Promise.all(keys.slice(0, 10_000).map((key) => memory.get(key))) },
  "100 sets together, each": { calls: 100, run: () => Promise.all(keys.slice(0, 100).map((key) => memory.set(key, value))) },
  "getMany of 100, each": { calls: 100, run: () => memory.getMany(keys.slice(0, 100)) },
};
const hopTimes = {};
for (let round = -30; round < 50; round++) {
  for (const [name, { calls, run }] of Object.entries(hops)) {
    const time = await micros(run);
    if (round >= 0) (hopTimes[name] ??= []).push(time / calls);
  }
}
console.log("to a worker, us");
for (const [name, list] of Object.entries(hopTimes)) console.log(`${name.padEnd(34)} ${median(list).toFixed(2).padStart(8)}`);

for (let i = 0; i < KEYS; i += 1000) group.setMany(keys.slice(i, i + 1000).map((key) => [key, value]));
await group.close();
const openings = {};
for (const what of ["from its log", "from its snapshot"]) {
  for (let i = 0; i < 5; i++) {
    let store;
    (openings[`open ${KEYS} keys ${what}`] ??= []).push(await micros(async () => (store = await open({ persist: "fs", dir: join(dir, "group") }))));
    if (i === 4) await store.compact();
    await store.close();
  }
}
openings["open, in memory"] = [];
for (let i = 0; i < 5; i++) openings["open, in memory"].push(await micros(async () => (await open()).close()));
console.log("ms");
for (const [name, list] of Object.entries(openings)) console.log(`${name.padEnd(34)} ${(median(list) / 1e3).toFixed(0).padStart(8)}`);

await Promise.all([each.close(), worker.close(), memory.close()]);
fs.closeSync(raw);
fs.rmSync(dir, { recursive: true });
