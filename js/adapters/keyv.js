import { acknowledged } from "./acknowledge.js";

/** KeyvIngot is a storage adapter of Keyv on a store; keyv.d.ts describes it. */
export class KeyvIngot {
  /** Keyv looks into both without asking whether they are there. */
  opts = { dialect: "ingot", url: "" };
  /** Set by Keyv. */
  namespace;
  #store;

  constructor(store) {
    this.#store = store;
  }

  async get(key) {
    return this.#store.getString(key);
  }

  async getMany(keys) {
    const values = await this.#store.getMany(keys);
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return values.map((value) => (value === undefined ? undefined : decoder.decode(value)));
  }

  async set(key, value, ttl) {
    await this.#store.set(key, value, ttl > 0 ? { ttl } : undefined);
    await acknowledged(this.#store);
    return true;
  }

  // One at a time, because a key may be there twice.
  async setMany(entries) {
    await Promise.all(entries.map(({ key, value, ttl }) => this.#store.set(key, value, ttl > 0 ? { ttl } : undefined)));
    await acknowledged(this.#store);
  }

  async delete(key) {
    const version = await this.#store.delete(key);
    await acknowledged(this.#store);
    return version !== 0;
  }

  async deleteMany(keys) {
    const deleted = await this.#store.deleteMany(new Set(keys));
    await acknowledged(this.#store);
    return deleted > 0;
  }

  async has(key) {
    return this.#store.has(key);
  }

  async hasMany(keys) {
    return Promise.all(keys.map((key) => this.#store.has(key)));
  }

  /** Keyv wants to hear of errors; here each is in the promise of its call. */
  on() {
    return this;
  }

  async clear() {
    await this.#store.clear(prefixOf(this.namespace));
    await acknowledged(this.#store);
  }

  async *iterator(namespace = this.namespace) {
    for await (const [key, value] of this.#store.entries(prefixOf(namespace))) yield [key, new TextDecoder().decode(value)];
  }
}

export default KeyvIngot;

// Keyv puts its namespace before each key itself.
function prefixOf(namespace) {
  return namespace === undefined ? "" : `${namespace}:`;
}
