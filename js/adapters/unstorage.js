import { acknowledged } from "./acknowledge.js";

/** ingotDriver is a driver of unstorage on a store; unstorage.d.ts describes it. */
export function ingotDriver({ store, base = "" }) {
  const keyOf = (key) => base + key;
  const write = async (result) => {
    await result;
    await acknowledged(store);
  };
  const set = (key, value, { ttl } = {}) => write(store.set(keyOf(key), value, ttl === undefined ? undefined : { ttl: ttl * 1000 }));
  return {
    name: "ingot",
    options: { base },
    getInstance: () => store,
    hasItem: (key) => store.has(keyOf(key)),
    getItem: async (key) => (await store.getString(keyOf(key))) ?? null,
    getItemRaw: async (key) => (await store.get(keyOf(key))) ?? null,
    setItem: set,
    setItemRaw: set,
    removeItem: (key) => write(store.delete(keyOf(key))),
    clear: (prefix) => write(store.clear(keyOf(prefix ?? ""))),
    async getKeys(prefix) {
      const keys = [];
      for await (const key of store.keys(keyOf(prefix ?? ""))) keys.push(key.slice(base.length));
      return keys;
    },
    async getMeta(key) {
      const entry = await store.getEntry(keyOf(key));
      if (entry === undefined) return null;
      const { value, version, expiresAt } = entry;
      return expiresAt === undefined ? { size: value.length, version } : { size: value.length, version, ttl: Math.max(0, (expiresAt - Date.now()) / 1000) };
    },
    async watch(told) {
      const watcher = store.watch(base);
      await watcher.ready?.(); // of a worker's store
      const reading = tell(watcher, told, base.length);
      return async () => {
        await watcher.close();
        await reading;
      };
    },
  };
}

export default ingotDriver;

async function tell(watcher, told, skipped) {
  for await (const { kind, key } of watcher) {
    if (key !== undefined) told(kind === "set" ? "update" : "remove", key.slice(skipped));
  }
}
