// The engine in this tab: the npm package, served by ingot itself.

import { ConflictError } from "./problems.js";
import { countText, previewBytesMax, sizeText } from "./value.js";

/** The tab's byte budget: the page is for looking and trying, so a modest one. */
const bytesMax = 64 * 1024 * 1024;

/** Starts an engine; throws when it cannot start. */
export async function openTab() {
  const { open } = await import("/js/index.js");
  return new Tab(await open({ persist: false, maxBytes: bytesMax }));
}

class Tab {
  constructor(store) {
    this.store = store;
    this.source = new TabSource(store);
  }

  /** Calls fn after changes, once for those that come together, until the engine ends. */
  async watch(fn) {
    let due = false;
    for await (const _ of this.store.watch({ keyType: "bytes" })) {
      if (due) continue;
      due = true;
      setTimeout(() => {
        due = false;
        fn();
      });
    }
  }

  /** Frees what has expired. It throws once the engine has failed. */
  tick() {
    this.store.tick();
  }

  facts() {
    const { keys, bytes, version } = this.store.stats();
    return [
      ["Keys", countText(keys)],
      ["Memory", `${sizeText(bytes)} of ${sizeText(bytesMax)}`],
      ["Version", countText(version)],
      ["Engine", "WebAssembly"],
    ];
  }
}

/** The store as a source of a pane (pane.js). */
class TabSource {
  #store;

  constructor(store) {
    this.#store = store;
  }

  async page({ prefix, cursor, limit }) {
    const { entries, next } = this.#store.list({ prefix, after: cursor ?? "", limit });
    return { entries: entries.map((e) => this.#row(e)), next: next ?? null };
  }

  async get(key) {
    const entry = this.#store.getEntry(key);
    return entry ? { value: entry.value, version: entry.version, deadline: entry.expiresAt ?? null } : null;
  }

  async set(key, value, { ttlSeconds, ifVersion, ifAbsent } = {}) {
    const ttl = ttlSeconds === undefined ? undefined : ttlSeconds * 1000;
    return conditional(key, () => this.#store.set(key, value, { ttl, ifVersion, ifAbsent }));
  }

  async remove(key, { ifVersion } = {}) {
    return conditional(key, () => this.#store.delete(key, { ifVersion })) !== 0;
  }

  /** Short values are read along with the list: a read costs less than a microsecond. */
  #row({ key, version, size, expiresAt }) {
    const value = size <= previewBytesMax ? (this.#store.get(key) ?? null) : null;
    return { key, version, size, deadline: expiresAt ?? null, value };
  }
}

/** Runs a write; its failed condition becomes the panes' own error. */
function conditional(key, write) {
  try {
    return write();
  } catch (error) {
    throw error.code === "ERR_CONFLICT" ? new ConflictError(key, error.version) : error;
  }
}
