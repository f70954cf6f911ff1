// Counts its own runs: node main.mjs DIRECTORY
import { open } from "ingot-state";

const store = await open({ persist: "fs", dir: process.argv[2] ?? "./data" });
const runs = store.increment("runs");
store.set(`run/${runs}`, new Date().toISOString(), { ttl: 24 * 60 * 60 * 1000 });
await store.flush(); // from here on it is on the disk

console.log(`run ${runs}; of the last day: ${[...store.keys("run/")].join(" ")}`);
await store.close();
