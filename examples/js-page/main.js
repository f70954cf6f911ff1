// A page without a bundler: the store is in a worker and in the browser's private file
// system, and every tab shows each change.
import { openWorker } from "./node_modules/ingot-state/index.js";

const store = await openWorker({ name: "visits", persist: "opfs" });
const output = document.getElementById("visits");
const watcher = store.watch({ prefix: "visits", values: true });
await watcher.ready();
await store.increment("visits"); // durable when it resolves
for await (const event of watcher) {
  if (event.kind === "set") output.textContent = new TextDecoder().decode(event.value);
}
