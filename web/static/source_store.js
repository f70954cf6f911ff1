// A store of the npm package as a source of a pane (pane.js): that of open(), which
// answers at once, or of openWorker(), which promises to.

import { ConflictError } from "./problems.js";
import { hexOf, previewBytesMax, textOf } from "./value.js";

const pageMax = 1000; // keys that are listed at once

export class StoreSource {
  #store;

  constructor(store) {
    this.#store = store;
  }

  async page({ prefix, cursor, limit }) {
    const { entries, next } = await this.#store.list({ prefix, after: cursor ?? "", limit, keyType: "bytes" });
    const rows = entries.map(rowOf);
    const short = rows.filter((r) => r.size <= previewBytesMax && !r.readOnly);
    const values = await this.#store.getMany(short.map((r) => r.key));
    short.forEach((row, i) => (row.value = values[i] ?? null));
    return { entries: rows, next: next ?? null };
  }

  async keys({ prefix = "", max }) {
    const rows = [];
    let after = "";
    while (after !== undefined && rows.length < max) {
      const { entries, next } = await this.#store.list({ prefix, after, limit: Math.min(max - rows.length, pageMax), keyType: "bytes" });
      rows.push(...entries.map(rowOf));
      after = next;
    }
    return { entries: rows, complete: after === undefined };
  }

  async get(key) {
    const entry = await this.#store.getEntry(key);
    return entry ? { value: entry.value, version: entry.version, deadline: entry.expiresAt ?? null } : null;
  }

  async getMany(keys) {
    const entries = await Promise.all(keys.map((key) => this.get(key)));
    return entries.map((entry, i) => entry && { key: keys[i], ...entry });
  }

  async set(key, value, { ttlSeconds, ifVersion, ifAbsent } = {}) {
    return conditional(key, () => this.#store.set(key, value, { ttl: millisOf(ttlSeconds), ifVersion, ifAbsent }));
  }

  async setMany(entries) {
    await this.#store.setMany(entries.map(({ key, value, ttlSeconds }) => [key, value, { ttl: millisOf(ttlSeconds) }]));
  }

  async expire(key, ttlSeconds) {
    const version = await this.#store.expire(key, millisOf(ttlSeconds) ?? 0);
    if (version === 0) throw new ConflictError(key, 0);
    return version;
  }

  async remove(key, { ifVersion } = {}) {
    return (await conditional(key, () => this.#store.delete(key, { ifVersion }))) !== 0;
  }
}

const millisOf = (seconds) => (seconds === undefined ? undefined : seconds * 1000);

/** An entry of a list as a row. A key that is no text is just shown. */
function rowOf({ key: bytes, version, size, expiresAt }) {
  const text = textOf(bytes);
  const name = text === null ? { key: hexOf(bytes), readOnly: true } : { key: text };
  return { ...name, version, size, deadline: expiresAt ?? null, value: null };
}

/** Runs a write; its failed condition becomes the panes' own error. */
async function conditional(key, write) {
  try {
    return await write();
  } catch (error) {
    throw error.code === "ERR_CONFLICT" ? new ConflictError(key, error.version) : error;
  }
}

/** Calls fn with the changes of a store, those that come together in one call, until it ends. */
export async function watchStore(store, fn) {
  let waiting = [];
  for await (const { kind, key, version, lost } of store.watch({ keyType: "bytes" })) {
    waiting.push({ kind, version, lost, key: key === undefined ? undefined : (textOf(key) ?? hexOf(key)) });
    if (waiting.length > 1) continue;
    setTimeout(() => {
      const changes = waiting;
      waiting = [];
      fn(changes);
    });
  }
}
