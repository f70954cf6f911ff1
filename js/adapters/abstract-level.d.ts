/**
 * A database of abstract-level 3 (Level):
 *
 * ```js
 * import { open } from "ingot-state";
 * import { IngotLevel } from "ingot-state/abstract-level";
 *
 * const db = new IngotLevel(await open(), { valueEncoding: "json" });
 * await db.put("user:1", { name: "Ada" });
 * for await (const [key, value] of db.iterator({ gte: "user:", lt: "user;" })) console.log(key, value);
 * ```
 *
 * Needs the package `abstract-level` beside this one. Batches are atomic. Iterators
 * read as they go: they have no snapshot, and the manifest says so. `getSync()` is for
 * stores of open(), not of openWorker(). An entry that expires is gone from every read.
 */
import type {
  AbstractBatchOperation, AbstractBatchOptions, AbstractChainedBatch, AbstractDatabaseOptions, AbstractDelOptions, AbstractLevel, AbstractPutOptions,
} from "abstract-level";
import type { Store, WorkerStore } from "../index.js";

export interface IngotLevelOptions<K, V> extends AbstractDatabaseOptions<K, V> {
  /**
   * Stands before each key in the store. Default "level:". With "" the database is the
   * whole store, cannot have the empty key, and clear() empties it.
   */
  base?: string;
}

export interface IngotWriteOptions {
  /**
   * Resolve when the write is durable, whatever the store's sync. Without it a write
   * of a kept store with sync "always" or "group" does so too. Default false.
   */
  sync?: boolean;
}

export interface IngotPutOptions<K, V> extends AbstractPutOptions<K, V>, IngotWriteOptions {
  /** Time to live in milliseconds; default: for ever. */
  ttl?: number;
}

export interface IngotDelOptions<K> extends AbstractDelOptions<K>, IngotWriteOptions {}

export interface IngotBatchOptions<K, V> extends AbstractBatchOptions<K, V>, IngotWriteOptions {}

/** A put may have a time to live in milliseconds of its own. */
export type IngotBatchOperation<TDatabase, K, V> = AbstractBatchOperation<TDatabase, K, V> & { ttl?: number };

export class IngotLevel<KDefault = string, VDefault = string> extends AbstractLevel<string | Uint8Array, KDefault, VDefault> {
  /** The store stays the caller's, to use and to close; close() of the database leaves it open. */
  constructor(store: Store | WorkerStore, options?: IngotLevelOptions<KDefault, VDefault>);

  put(key: KDefault, value: VDefault): Promise<void>;
  put<K = KDefault, V = VDefault>(key: K, value: V, options: IngotPutOptions<K, V>): Promise<void>;
  del(key: KDefault): Promise<void>;
  del<K = KDefault>(key: K, options: IngotDelOptions<K>): Promise<void>;
  batch(operations: Array<IngotBatchOperation<typeof this, KDefault, VDefault>>): Promise<void>;
  batch<K = KDefault, V = VDefault>(operations: Array<IngotBatchOperation<typeof this, K, V>>, options: IngotBatchOptions<K, V>): Promise<void>;
  batch(): AbstractChainedBatch<typeof this, KDefault, VDefault>;
}
export default IngotLevel;
