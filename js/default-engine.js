import { loadModule } from "./load.js";

// Written so that bundlers find the file and Node and browsers resolve it. It is not in
// load.js so that ./inline and ./slim do not make them find it.
const DEFAULT_URL = new URL("./dist/engine.wasm", import.meta.url);

let compiled = null; // shared by all stores

/** defaultEngine compiles the engine that comes with the package as a file. */
export function defaultEngine() {
  compiled ??= loadModule(DEFAULT_URL).catch((error) => {
    compiled = null; // a later open may find the file
    throw error;
  });
  return compiled;
}
