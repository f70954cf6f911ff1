import { defaultEngine } from "./default-engine.js";
import { IngotError } from "./errors.js";
import { openStore } from "./open.js";
import { Store } from "./store.js";
import { Watcher } from "./watcher.js";

export { IngotError, Store, Watcher };

/** open opens a store: an empty one in memory, or the one that is kept; index.d.ts describes it. */
export async function open(options = {}) {
  return openStore(options, defaultEngine);
}

/** openWorker opens a store in a worker; index.d.ts describes it. */
export async function openWorker(options = {}) {
  const client = await import("./worker/client.js");
  return client.openWorker(options);
}
