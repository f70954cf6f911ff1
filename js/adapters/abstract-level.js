import { AbstractLevel } from "abstract-level";
import { Store, inside } from "../store.js";
import { acknowledged } from "./acknowledge.js";
import { IngotIterator, joinedKeys, rangeOf, walk } from "./level-iterator.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // lenient, as other databases of Level are

/** IngotLevel is a database of abstract-level on a store; abstract-level.d.ts describes it. */
export class IngotLevel extends AbstractLevel {
  #store;
  #base;
  #baseBytes;

  constructor(store, { base = "level:", ...options } = {}) {
    const direct = store instanceof Store;
    super({
      encodings: { utf8: true, view: true },
      implicitSnapshots: false,
      explicitSnapshots: false,
      permanence: direct && inside(store).durable !== null, // a worker's store does not say
      has: true,
      getSync: direct,
      signals: { iterators: true },
    }, options);
    this.#store = store;
    this.#base = base;
    this.#baseBytes = encoder.encode(base);
  }

  #full(key) {
    return typeof key === "string" ? this.#base + key : joinedKeys(this.#baseBytes, key);
  }

  // Reading.

  async _get(key, { valueEncoding }) {
    return decoded(await this.#store.get(this.#full(key)), valueEncoding);
  }

  _getSync(key, { valueEncoding }) {
    return decoded(this.#store.get(this.#full(key)), valueEncoding);
  }

  async _getMany(keys, { valueEncoding }) {
    const values = await this.#store.getMany(keys.map((key) => this.#full(key)));
    return values.map((value) => decoded(value, valueEncoding));
  }

  async _has(key) {
    return this.#store.has(this.#full(key));
  }

  async _hasMany(keys) {
    return Promise.all(keys.map((key) => this.#store.has(this.#full(key))));
  }

  _iterator(options) {
    return new IngotIterator(this, this.#store, this.#baseBytes, options);
  }

  // Writing.

  async _put(key, value, { ttl, sync }) {
    await this.#store.set(this.#full(key), value, ttl === undefined ? undefined : { ttl });
    await this.#written(sync);
  }

  async _del(key, { sync }) {
    await this.#store.delete(this.#full(key));
    await this.#written(sync);
  }

  async _batch(operations, { sync }) {
    await this.#store.batch(lastOfEach(operations).map(({ type, key, value, ttl }) => {
      if (type === "del") return { op: "delete", key: this.#full(key) };
      return { op: "set", key: this.#full(key), value, ttl };
    }));
    await this.#written(sync);
  }

  // A range is removed page by page, which others may see; all keys at once.
  async _clear(options) {
    const range = rangeOf(this.#baseBytes, options);
    if (options.limit === -1 && range.whole) {
      await this.#store.clear(this.#base);
    } else {
      let left = options.limit === -1 ? Infinity : options.limit;
      const pages = walk(this.#store, range, { reverse: options.reverse, values: false, limit: left });
      for await (const page of pages) {
        const keys = page.slice(0, left).map(([key]) => key);
        await this.#store.deleteMany(keys);
        left -= keys.length;
        if (left === 0) break;
      }
    }
    await this.#written(false);
  }

  async #written(sync) {
    if (sync === true) await this.#store.flush();
    else await acknowledged(this.#store);
  }
}

export default IngotLevel;

function decoded(value, encoding) {
  return value !== undefined && encoding === "utf8" ? decoder.decode(value) : value;
}

// lastOfEach keeps the last operation of each key: a batch of Level may name one twice,
// a batch of the engine may not.
function lastOfEach(operations) {
  const asText = operations.every(({ key }) => typeof key === "string");
  const byKey = new Map(operations.map((operation) => [asText ? operation.key : bytesAsText(operation.key), operation]));
  return byKey.size === operations.length ? operations : [...byKey.values()];
}

// bytesAsText has a code unit for each byte, so that equal bytes are equal text.
function bytesAsText(key) {
  let text = "";
  for (const byte of typeof key === "string" ? encoder.encode(key) : key) text += String.fromCharCode(byte);
  return text;
}
