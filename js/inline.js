// The package with the engine inside its JavaScript, for where no second file can be
// loaded: build/engine-inline.js is made of dist/engine.wasm by `npm run build`.
import { engineText } from "./build/engine-inline.js";
import { IngotError } from "./errors.js";
import { bytesOf } from "./inline-code.js";
import { loadModule } from "./load.js";
import { openStore } from "./open.js";
import { Store } from "./store.js";
import { Watcher } from "./watcher.js";

export { IngotError, Store, Watcher };

let compiled = null; // shared by all stores

function inlineEngine() {
  compiled ??= loadModule(bytesOf(engineText));
  return compiled;
}

/** open opens a store, as index.js does, on the engine in here; index.d.ts describes it. */
export async function open(options = {}) {
  return openStore(options, inlineEngine);
}

/** openWorker opens a store in a worker, on the engine in here; index.d.ts describes it. */
export async function openWorker(options = {}) {
  const client = await import("./worker/client.js");
  return client.openWorker(options, inlineEngine);
}
