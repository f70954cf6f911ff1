// The engine in this tab: the npm package, served by ingot itself.

import { countText, previewBytesMax, sizeText } from "./value.js";

/** The tab's byte budget. The page is for looking and trying, so a modest one. */
const bytesMax = 64 * 1024 * 1024;

/** Starts an engine; throws when it cannot start. */
export async function openTab() {
  const { open } = await import("/js/index.js");
  return new Tab(await open({ persist: false, maxBytes: bytesMax }));
}

class Tab {
  #store;

  constructor(store) {
    this.#store = store;
    this.source = new TabSource(store);
  }

  /** Calls fn after changes, once for those that come together. */
  onChange(fn) {
    let due = false;
    this.#store.watch("", () => {
      if (due) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        fn();
      });
    });
  }

  /** Frees what has expired. */
  tick() {
    this.#store.tick();
  }

  facts() {
    const { keys, bytes, version, backend } = this.#store.stats();
    return [
      ["Keys", countText(keys)],
      ["Memory", `${sizeText(bytes)} of ${sizeText(bytesMax)}`],
      ["Version", countText(version)],
      ["Engine", backend],
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
    return entry ? { value: entry.value, version: entry.version, deadline: entry.expiresAt || null } : null;
  }

  async set(key, value, { ttlSeconds, ifVersion, ifAbsent } = {}) {
    return this.#store.set(key, value, { ttl: (ttlSeconds ?? 0) * 1000, ifVersion, ifAbsent });
  }

  async remove(key, { ifVersion } = {}) {
    return this.#store.delete(key, { ifVersion });
  }

  /** The short values are read here; reading costs well under a microsecond each. */
  #row({ key, version, size, expiresAt }) {
    const value = size <= previewBytesMax ? this.#store.get(key) : null;
    return { key, version, size, deadline: expiresAt || null, value };
  }
}
