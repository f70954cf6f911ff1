/**
 * A driver of unstorage:
 *
 * ```js
 * import { createStorage } from "unstorage";
 * import { open } from "ingot-state";
 * import { ingotDriver } from "ingot-state/unstorage";
 *
 * const storage = createStorage({ driver: ingotDriver({ store: await open(), base: "cache:" }) });
 * await storage.setItem("page", { title: "home" }, { ttl: 60 });
 * ```
 *
 * It watches, knows a TTL in seconds, and gives bytes as they are (`getItemRaw`). After a
 * restore, or where a watcher was too slow, watchers of unstorage are told nothing: it
 * has no word for that.
 */
import type { Store, WorkerStore } from "../index.js";

export interface IngotDriverOptions {
  /** The store stays the caller's, to use and to close. */
  store: Store | WorkerStore;
  /** Stands before each key. Default "". */
  base?: string;
}

interface WriteOptions {
  /** Seconds. */
  ttl?: number;
}

export interface IngotDriver {
  name: string;
  options: { base: string };
  getInstance(): Store | WorkerStore;
  hasItem(key: string): boolean | Promise<boolean>;
  getItem(key: string): Promise<string | null>;
  getItemRaw(key: string): Promise<Uint8Array | null>;
  setItem(key: string, value: string, options?: WriteOptions): Promise<void>;
  setItemRaw(key: string, value: any, options?: WriteOptions): Promise<void>;
  removeItem(key: string): Promise<void>;
  clear(base?: string): Promise<void>;
  getKeys(base?: string): Promise<string[]>;
  /** The size in bytes, the version, and the seconds that are left. */
  getMeta(key: string): Promise<{ size: number; version: number; ttl?: number } | null>;
  watch(told: (event: "update" | "remove", key: string) => void): Promise<() => Promise<void>>;
}

export function ingotDriver(options: IngotDriverOptions): IngotDriver;
export default ingotDriver;
