import { Engine } from "./engine.js";
import { typeError } from "./errors.js";
import { loadModule } from "./load.js";
import { flag, refuseUnknown, wholeNumber } from "./options.js";
import { Store } from "./store.js";
import { checkedTime } from "./wasi.js";

// Asks for a store that evicts, above the 32 bits of the longest value; see docs/ABI.md.
const OPEN_EVICTS = 2 ** 32;
const OPEN_OPTIONS = new Set(["name", "persist", "dir", "sync", "syncInterval", "wasm", "maxBytes", "maxValueBytes", "evict", "now"]);

// The 4 GiB that the engine can address end in a trap; a budget ends in an
// error that can be handled, and leaves the collector its room.
const BYTES_MAX_DEFAULT = 2 ** 30;

/**
 * openStore is open(). defaultEngine gives the compiled engine where the options name
 * none. locked says that the caller has the store's Web Lock already: a worker that
 * shares a store with other tabs has.
 */
export async function openStore(options, defaultEngine, locked = false) {
  refuseUnknown(options, OPEN_OPTIONS, "open");
  const { name = "ingot", persist = false, wasm, maxBytes = BYTES_MAX_DEFAULT, maxValueBytes = 0, evict = false, now = Date.now, dir, sync, syncInterval } = options;
  if (typeof name !== "string") throw typeError("name", "a string", name);
  if (typeof now !== "function") throw typeError("now", "a function that returns Unix milliseconds", now);
  checkedTime(now()); // later a wrong time is met inside the engine, and poisons it
  wholeNumber("maxBytes", maxBytes, Number.MAX_SAFE_INTEGER);
  wholeNumber("maxValueBytes", maxValueBytes, Number.MAX_SAFE_INTEGER);
  const evicts = flag("evict", evict) ? OPEN_EVICTS : 0;

  const begin = async (files) => {
    const engine = await Engine.start(await (wasm === undefined ? defaultEngine() : loadModule(wasm)), now, files);
    engine.setFirst(maxBytes);
    // What needs more than 32 bits is too long in any case, and not the flag above them.
    engine.setSecond(Math.min(maxValueBytes, 2 ** 32 - 1) + evicts);
    return engine;
  };
  if (persist === false && dir === undefined && sync === undefined && syncInterval === undefined) {
    const engine = await begin(null);
    return new Store(engine, engine.checked("ingot_open"), name);
  }
  const { openPersistent } = await import("./persist/open.js");
  return openPersistent({ ...options, name, persist, locked, begin });
}
