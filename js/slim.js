// The package without an engine: whoever opens a store says where it is.
import { IngotError } from "./errors.js";
import { openStore } from "./open.js";
import { Store } from "./store.js";
import { Watcher } from "./watcher.js";

export { IngotError, Store, Watcher };

async function noEngine() {
  throw new IngotError("ERR_OPTIONS", "ingot-state/slim comes without an engine: pass open({ wasm }) a module, bytes, a URL or a Response of engine.wasm");
}

/** open opens a store, as index.js does, on the engine that `wasm` is; slim.d.ts describes it. */
export async function open(options = {}) {
  return openStore(options, noEngine);
}

/** openWorker opens a store in a worker on the engine that `wasm` is; slim.d.ts describes it. */
export async function openWorker(options = {}) {
  const client = await import("./worker/client.js");
  return client.openWorker(options, noEngine);
}
