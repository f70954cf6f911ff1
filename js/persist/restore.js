import { OPEN } from "../engine.js";
import { IngotError, typeError } from "../errors.js";
import { inside } from "../store.js";
import { chunksOf } from "../stream.js";

const CHUNK_BYTES = 1 << 20;

// Where a snapshot says at which version it was taken; see docs/FORMAT.md.
const SNAPSHOT_VERSION_AT = 16;
const SNAPSHOT_HEADER_BYTES = 32;
// Versions still free above a restored one: more than a store can live to use.
const VERSION_ROOM = 2 ** 52;

/** restore is the restore() of a store that is open. */
export async function restore(store, source) {
  const { engine: e, handle: storeHandle, changed } = inside(store);
  if (e.state !== OPEN) e.refuse(); // closed while this module was loaded
  const handle = e.checked("ingot_restore_open", storeHandle);
  const header = new HeaderGuard();
  try {
    for await (const chunk of chunksOf(source)) {
      header.look(chunk);
      for (let from = 0; from < chunk.length; from += CHUNK_BYTES) {
        restorePart(e, handle, chunk.subarray(from, from + CHUNK_BYTES));
      }
    }
    if (e.state !== OPEN) e.refuse(); // closed while the source was read
    header.check();
  } catch (error) {
    if (e.state === OPEN) e.call("ingot_restore_close", handle); // free already after the engine's own errors
    throw error;
  }
  e.checked("ingot_restore_end", handle);
  changed();
}

function restorePart(e, handle, part) {
  if (e.state !== OPEN) e.refuse(); // closed while the source was read
  e.reserve(CHUNK_BYTES);
  e.u8.set(part, e.area);
  e.checked("ingot_restore_write", handle, part.length);
}

/**
 * HeaderGuard refuses a snapshot whose versions leave no room below the largest safe
 * number. It speaks last, so that damage is called damage.
 */
class HeaderGuard {
  #header = new Uint8Array(SNAPSHOT_HEADER_BYTES);
  #seen = 0;

  look(chunk) {
    if (!(chunk instanceof Uint8Array)) throw typeError("a chunk of a snapshot", "a Uint8Array", chunk);
    const part = chunk.subarray(0, SNAPSHOT_HEADER_BYTES - this.#seen);
    this.#header.set(part, this.#seen);
    this.#seen += part.length;
  }

  check() {
    const version = new DataView(this.#header.buffer).getBigUint64(SNAPSHOT_VERSION_AT, true);
    if (version > VERSION_ROOM) {
      throw new IngotError("ERR_RANGE", `the snapshot was taken at version ${version}; JavaScript numbers serve up to version ${VERSION_ROOM}`);
    }
  }
}
