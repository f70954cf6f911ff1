/**
 * A storage adapter of Keyv 5:
 *
 * ```js
 * import Keyv from "keyv";
 * import { open } from "ingot-state";
 * import { KeyvIngot } from "ingot-state/keyv";
 *
 * const keyv = new Keyv({ store: new KeyvIngot(await open()), namespace: "sessions" });
 * await keyv.set("ada", { visits: 1 }, 60_000);
 * ```
 *
 * Without a namespace, clear() empties the whole store. In a kept store with sync
 * "always" or "group" a write resolves when it is durable.
 */
import type { Store, WorkerStore } from "../index.js";

export class KeyvIngot {
  /** The store stays the caller's, to use and to close. */
  constructor(store: Store | WorkerStore);
  opts: Record<string, unknown>;
  /** Part of what Keyv calls an adapter. This one emits nothing: errors are in the promises. */
  on(event: string, listener: (...args: any[]) => void): this;
  /** Set by Keyv, which puts it and ":" before each key. */
  namespace?: string | undefined;
  get<Value>(key: string): Promise<Value | undefined>;
  getMany<Value>(keys: string[]): Promise<Array<Value | undefined>>;
  /** value is text, as Keyv serializes it. */
  set(key: string, value: any, ttl?: number): Promise<boolean>;
  setMany(entries: Array<{ key: string; value: any; ttl?: number }>): Promise<void>;
  delete(key: string): Promise<boolean>;
  /** Whether any of the keys was there. */
  deleteMany(keys: string[]): Promise<boolean>;
  has(key: string): Promise<boolean>;
  hasMany(keys: string[]): Promise<boolean[]>;
  clear(): Promise<void>;
  /** The keys of a namespace, with it, and their serialized values. */
  iterator(namespace?: string): AsyncGenerator<[string, string], void>;
}
export default KeyvIngot;
