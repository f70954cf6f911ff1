import { IngotError, typeError } from "./errors.js";

// Where a snapshot says at which version it was taken; see docs/FORMAT.md.
const SNAPSHOT_VERSION_AT = 16;
const SNAPSHOT_HEADER_BYTES = 32;
// Versions still free above a restored one: more than a store can live to use.
const VERSION_ROOM = 2 ** 52;

/**
 * HeaderGuard refuses a snapshot whose versions leave no room below the largest safe
 * number. It speaks last, so that damage is called damage.
 */
export class HeaderGuard {
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

/** chunksOf gives the chunks of a snapshot, however it is handed over. */
export async function* chunksOf(source) {
  if (source instanceof Uint8Array) yield source;
  else if (typeof source?.[Symbol.asyncIterator] === "function" || typeof source?.[Symbol.iterator] === "function" && typeof source !== "string") yield* source;
  else throw typeError("a snapshot", "a Uint8Array or an iterable of them", source);
}

/** joined is chunks as one. */
export function joined(chunks) {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
