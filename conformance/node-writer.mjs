// Writes to a store with persist "fs" until it is killed, for node-kills.test.mjs:
// node-writer.mjs DIRECTORY always|group|worker ROUND. It prints what the store held at
// first, and the number of each step once that is durable.
import { writeSync } from "node:fs";
import { open, openWorker } from "../js/index.js";

const [dir, sync, round] = process.argv.slice(2);
const say = (text) => writeSync(1, `${text}\n`);
const many = 8; // steps under way

/** step is a batch with two keys that always agree, a counter, and a key of its own. */
function step(store, i) {
  return store.batch([
    { op: "set", key: "a", value: String(i) },
    { op: "set", key: "b", value: String(i) },
    { op: "set", key: "round", value: round },
    { op: "set", key: `k${round % 5}/${i}`, value: `${round} ${i}` },
    { op: "increment", key: "count" },
    ...(i % 7 === 0 ? [{ op: "set", key: "large", value: "v".repeat(i * 100) }] : []),
  ]);
}

const options = { persist: "fs", dir, sync: sync === "worker" ? "group" : sync };
const store = sync === "worker" ? await openWorker(options) : await open(options);
say(`from ${JSON.stringify(await store.has("a") ? { a: -1 } : null)}`);
await store.set("count", "0");
if (sync === "always") {
  for (let i = 0; ; i++) {
    step(store, i);
    say(`durable ${i}`);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
} else {
  for (let i = 0; ; i += many) {
    const steps = Array.from({ length: many }, (_, j) => step(store, i + j));
    await Promise.all(steps);
    if (sync === "group") await store.flush();
    say(`durable ${i + many - 1}`);
  }
}
