// Compares the engine with a Map and with a Map that copies, as a store must.
// All run interleaved, so that a noisy machine disturbs all alike; a figure is
// the median of the rounds. Run it with `npm run bench`.
import { open } from "./index.js";

const KEYS = 10_000;
const VALUE_BYTES = 64;
const ROUNDS = Number(process.env.ROUNDS ?? 15);
const WARM_ROUNDS = 40; // V8 compiles the engine a second time, in the background, while it runs
const MANY = 100;

const keys = Array.from({ length: KEYS }, (_, i) => `user:${String(i * 7919 % KEYS).padStart(8, "0")}`);
const groups = Array.from({ length: KEYS / MANY }, (_, i) => keys.slice(i * MANY, (i + 1) * MANY));
const value = new Uint8Array(VALUE_BYTES).fill(65);

const map = new Map();
const copying = new Map();
const store = await open();

let sink = 0; // keeps results in use

const contestants = {
  get: {
    Map: () => keys.forEach((key) => (sink += map.get(key).length)),
    "copying Map": () => keys.forEach((key) => (sink += copying.get(key).slice().length)),
    ingot: () => keys.forEach((key) => (sink += store.get(key).length)),
    "ingot getMany": () => groups.forEach((group) => (sink += store.getMany(group).length)),
  },
  set: {
    Map: () => keys.forEach((key) => map.set(key, value)),
    "copying Map": () => keys.forEach((key) => copying.set(key, value.slice())),
    ingot: () => keys.forEach((key) => (sink += store.set(key, value))),
    "ingot setMany": () => groups.forEach((group) => (sink += store.setMany(group.map((key) => [key, value])).length)),
  },
  has: {
    Map: () => keys.forEach((key) => (sink += map.has(key) ? 1 : 0)),
    ingot: () => keys.forEach((key) => (sink += store.has(key) ? 1 : 0)),
  },
};

function nanosPerKey(run) {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / KEYS;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

const times = new Map();
for (const run of Object.values(contestants.set)) run(); // fill, before anything is read
for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
  for (const [operation, runs] of Object.entries(contestants)) {
    for (const [name, run] of Object.entries(runs)) {
      globalThis.gc?.();
      const time = nanosPerKey(run);
      const label = `${operation} ${name}`;
      if (round >= 0) times.set(label, [...(times.get(label) ?? []), time]);
    }
  }
}

console.log(`${KEYS} keys, values of ${VALUE_BYTES} B, ${ROUNDS} rounds, Node ${process.version}; ns per key (ratio to the copying Map)`);
for (const [operation, runs] of Object.entries(contestants)) {
  const base = median(times.get(`${operation} ${"copying Map" in runs ? "copying Map" : "Map"}`));
  for (const name of Object.keys(runs)) {
    const time = median(times.get(`${operation} ${name}`));
    console.log(`${operation}  ${name.padEnd(14)} ${time.toFixed(0).padStart(6)}  ${(time / base).toFixed(2).padStart(6)}`);
  }
}
if (sink === 0) throw new Error("nothing was measured");
