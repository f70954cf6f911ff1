/** ingot-state without an engine: `wasm` says which to use. */
import type { OpenOptions as Options, Store, WorkerOptions as InWorker, WorkerStore } from "./index.js";

export * from "./index.js";

/** What names an engine: engine.wasm of this package, loaded in whatever way. */
interface WithEngine {
  wasm: NonNullable<Options["wasm"]>;
}
export type OpenOptions = Options & WithEngine;
export type WorkerOptions = InWorker & WithEngine;

/** Opens a store, as `open` of ingot-state does. */
export function open(options: OpenOptions): Promise<Store>;
/** Opens a store in a worker, as `openWorker` of ingot-state does. */
export function openWorker(options: WorkerOptions): Promise<WorkerStore>;
