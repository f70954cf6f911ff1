// Measures kept stores in Chromium: a group of 64 durable sets through openWorker()
// against IndexedDB used as it is, and how long 100,000 keys take to open. All run
// interleaved; a figure is the median of the rounds. Run it with `npm run bench`.
import { openPage } from "./browser.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 30);
const { page, close } = await openPage();

const said = await page.evaluate(async (rounds) => {
  const GROUP = 64;
  const value = new Uint8Array(64).fill(65);
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const request = indexedDB.open("raw", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("s");
  const database = await done(request);
  const put = (entries) => new Promise((resolve, reject) => {
    const transaction = database.transaction("s", "readwrite", { durability: "strict" });
    for (const [key, each] of entries) transaction.objectStore("s").put(each, key);
    transaction.oncomplete = resolve;
    transaction.onerror = () => reject(transaction.error);
  });
  const opfs = await window.ingot.openWorker({ persist: "opfs", name: "bench" });
  const idb = await window.ingot.openWorker({ persist: "idb", name: "bench-idb" });
  const group = (round) => Array.from({ length: GROUP }, (_, i) => [`user:${round}:${i}`, value]);
  const contestants = {
    "opfs: 64 sets together": (entries) => Promise.all(entries.map(([key, each]) => opfs.set(key, each))),
    "idb: 64 sets together": (entries) => Promise.all(entries.map(([key, each]) => idb.set(key, each))),
    "IndexedDB: 64 puts, a transaction": put,
    "IndexedDB: 64 puts, 64 transactions": (entries) => Promise.all(entries.map((entry) => put([entry]))),
  };
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
  const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -5; round < rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const entries = group(round);
      const start = performance.now();
      await run(entries);
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  const hops = [];
  for (let round = -20; round < rounds; round++) {
    const keys = Array.from({ length: 100 }, (_, i) => `user:1:${i % GROUP}`);
    const start = performance.now();
    await Promise.all(keys.map((key) => opfs.get(key)));
    if (round >= 0) hops.push((performance.now() - start) * 10);
  }
  const large = await window.ingot.openWorker({ persist: "opfs", name: "large" });
  for (let i = 0; i < 100_000; i += 5000) await large.setMany(Array.from({ length: 5000 }, (_, j) => [`user:${String(i + j).padStart(8, "0")}`, value]));
  const openings = { "from its log": [], "from its snapshot": [] };
  let store = large;
  for (const list of Object.values(openings)) {
    for (let i = 0; i < 5; i++) {
      await store.close();
      const start = performance.now();
      store = await window.ingot.openWorker({ persist: "opfs", name: "large" });
      list.push(performance.now() - start);
      if ((await store.stats()).keys !== 100_000) throw new Error("keys are missing");
    }
    await store.compact();
  }
  const memory = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await (await window.ingot.open()).close();
    memory.push(performance.now() - start);
  }
  return {
    millis: Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)])),
    hop: median(hops),
    openings: Object.fromEntries(Object.entries(openings).map(([name, list]) => [name, median(list)])),
    memory: median(memory),
  };
}, ROUNDS);
await close();

const base = said.millis["opfs: 64 sets together"];
console.log(`Chromium, ${ROUNDS} rounds; ms, and the ratio to opfs`);
for (const [name, millis] of Object.entries(said.millis)) console.log(`${name.padEnd(38)} ${millis.toFixed(2).padStart(8)} ${(millis / base).toFixed(2).padStart(7)}`);
console.log(`${"100 gets together from the worker, us each".padEnd(38)} ${said.hop.toFixed(2).padStart(8)}`);
for (const [name, millis] of Object.entries(said.openings)) console.log(`${`open 100,000 keys ${name}, ms`.padEnd(38)} ${millis.toFixed(0).padStart(8)}`);
console.log(`${"open, in memory, ms".padEnd(38)} ${said.memory.toFixed(0).padStart(8)}`);
