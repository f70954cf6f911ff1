/**
 * ingot-state: a key-value state engine in Node and the browser.
 *
 * ```js
 * import { open } from "ingot-state";
 * const store = await open();
 * store.set("greeting", "hello", { ttl: 60_000 });
 * store.getString("greeting"); // "hello"
 * ```
 *
 * A key has 1 to 65,536 bytes, a value 0 to 64 MiB. A string stands for its
 * UTF-8 bytes. Every write gets a version, a number that grows by each write of
 * the store; 0 is the version of an absent key. Everything that fails throws an
 * IngotError with a stable `code`; then nothing has changed.
 */

/** What identifies an entry. Half a surrogate pair is refused (ERR_KEY_ENCODING). */
export type Key = string | Uint8Array;

/** What an entry holds. It is copied in and out. */
export type Value = Uint8Array | string;

/** How keys are given back: as text, or as the bytes they are. */
export type KeyType = "string" | "bytes";

type KeyOf<T extends KeyType> = T extends "bytes" ? Uint8Array : string;

export type ErrorCode =
  /** A condition does not hold; the error has `version` (found) and `index` (in a batch). */
  | "ERR_CONFLICT"
  | "ERR_CLOSED"
  | "ERR_KEY_SIZE"
  | "ERR_VALUE_SIZE"
  | "ERR_TTL"
  /** A byte budget is used up. */
  | "ERR_FULL"
  | "ERR_NOT_NUMBER"
  | "ERR_OVERFLOW"
  | "ERR_OPTIONS"
  | "ERR_DUPLICATE_KEY"
  | "ERR_BATCH_SIZE"
  | "ERR_SNAPSHOT"
  | "ERR_WATCHER_CLOSED"
  /** An argument has the wrong type. */
  | "ERR_TYPE"
  /** A key is no text where text is asked for, or holds half a surrogate pair. */
  | "ERR_KEY_ENCODING"
  | "ERR_VALUE_ENCODING"
  | "ERR_JSON"
  /** A Uint8Array's buffer was transferred away. */
  | "ERR_DETACHED"
  /** A version or sum exceeds Number.MAX_SAFE_INTEGER. */
  | "ERR_RANGE"
  /** The store is in the middle of another call: now() used the store that was asking it for the time. */
  | "ERR_BUSY"
  /** The engine trapped. Every later call throws this too: open a new store. */
  | "ERR_POISONED"
  /** now() returned something else than Unix milliseconds; later than in open(), that is the cause of an ERR_POISONED. */
  | "ERR_CLOCK"
  /** This platform lacks what that `persist` needs; the text says what to use instead. */
  | "ERR_PERSIST_UNSUPPORTED"
  /** Another has the kept store open; the text says who. */
  | "ERR_LOCKED"
  /** A file of the kept store is damaged in a way that no crash explains. */
  | "ERR_CORRUPT"
  /** A newer version wrote the kept store. */
  | "ERR_FORMAT_VERSION"
  /** The kept store is encrypted, which this package does not read. */
  | "ERR_ENCRYPTED"
  /** The disk or the quota is full: writes are refused until there is room, reads go on. */
  | "ERR_SPACE"
  /** Writing or syncing failed: writes are refused until the store is closed and opened again. */
  | "ERR_READ_ONLY"
  /** A file cannot be read or written; `cause` says more. */
  | "ERR_STORAGE"
  /** The worker of openWorker() has ended. */
  | "ERR_WORKER"
  /**
   * The tab that had a shared store is gone in the middle of the call: a write may have
   * taken effect or not, and a flush cannot speak for what the other tab had in memory.
   */
  | "ERR_OWNER_CHANGED"
  /** The engine's file is truncated or no WebAssembly. */
  | "ERR_WASM"
  /** The engine's file cannot be read or fetched. */
  | "ERR_WASM_LOAD"
  /** The engine's file is another program, or of another ABI version. */
  | "ERR_ABI"
  | "ERR_HANDLE"
  | "ERR_REQUEST"
  | "ERR_INTERNAL";

/** What this package throws. `code` is stable, the text is not. */
export class IngotError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly code: ErrorCode;
  /** With ERR_CONFLICT: the version found; 0 when the key is absent. */
  readonly version?: number;
  /** With ERR_CONFLICT: the position of the operation in its batch. */
  readonly index?: number;
}

/**
 * When a write of a kept store is durable. "always": when the call returns. "group":
 * all writes of one turn of the event loop are synced together at its end; flush()
 * waits for that. "interval": within syncInterval. "never": when flush() or close()
 * says so. Beside "always" a crash of the process may lose what is not synced yet.
 */
export type Sync = "always" | "group" | "interval" | "never";

export interface OpenOptions {
  /** Names a kept store; one in memory has it as a label only. Default "ingot". */
  name?: string;
  /**
   * Where the store lives: false, the default, in memory; "fs" in a directory, in
   * Node; "opfs" in the browser's private file system, in a dedicated worker; "idb" in
   * IndexedDB. A store is open once: elsewhere open() fails with ERR_LOCKED, and so
   * does a native ingot process on the same directory.
   */
  persist?: false | "fs" | "opfs" | "idb";
  /** With "fs": the directory, made when it is missing; `./NAME.ingot` unless given. */
  dir?: string;
  /** When writes of a kept store are durable. Default "group". */
  sync?: Sync;
  /** With sync "interval": after how many milliseconds at most; default 1000. */
  syncInterval?: number;
  /** The engine, if not the file that comes with the package. */
  wasm?: WebAssembly.Module | ArrayBuffer | Uint8Array | URL | string | Response;
  /**
   * Byte budget. An entry is charged the memory that it holds: key, value, 32 bytes,
   * 48 more when it ends, rounded up. Default 2 ** 30; 0 is none.
   */
  maxBytes?: number;
  /** The longest value in bytes, at most and by default 64 MiB (0). */
  maxValueBytes?: number;
  /**
   * Make room for a write that exceeds maxBytes, which must not be 0 then, by removing
   * entries that are used little, instead of throwing ERR_FULL. Watchers get "evict".
   * Default false.
   */
  evict?: boolean;
  /**
   * The time in Unix milliseconds. Default Date.now. It must not use the store,
   * and must not throw: that poisons the engine, which is calling it.
   */
  now?: () => number;
}

/** Opens an empty store. Each has a WebAssembly instance of its own. */
export function open(options?: OpenOptions): Promise<Store>;

export interface SetOptions {
  /** Time to live in milliseconds, rounded up; 0, the default, is for ever. */
  ttl?: number;
  /** Leave the end of the entry that is there as it is. Not with ttl. */
  keepTtl?: boolean;
  /** Store only when the key is at this version; 0: only when it is absent. */
  ifVersion?: number;
  /** Store only when the key is absent. */
  ifAbsent?: boolean;
}

export interface DeleteOptions {
  /** Delete only when the key is at this version, 1 or more. */
  ifVersion?: number;
}

export interface Entry {
  value: Uint8Array;
  version: number;
  /** Unix milliseconds; undefined when the entry does not end. */
  expiresAt: number | undefined;
}

interface Condition {
  key: Key;
  /** The version of the key before the batch; 0: absent. */
  ifVersion?: number;
  /** The key must be absent before the batch. */
  ifAbsent?: boolean;
}

/** An operation of a batch. Operations work like the methods of their names. */
export type Operation =
  | (Condition & { op: "set"; value: Value; ttl?: number; keepTtl?: boolean })
  | (Condition & { op: "delete" })
  | (Condition & { op: "increment"; delta?: number | bigint })
  | (Condition & { op: "expire"; ttl?: number })
  | (Condition & { op: "check" });

export interface OperationResult {
  /** The version of the write or removal, or the version found where nothing changed. */
  version: number;
  /** Whether the key was there before. */
  existed: boolean;
  /** The sum after an increment: a bigint where the delta was one. */
  number?: number | bigint;
}

export interface ListOptions<T extends KeyType = "string"> {
  /** Only keys that begin with it. */
  prefix?: Key;
  /** Start behind this key: the `next` of the page before. */
  after?: Key;
  /** Entries per page, 1 to 10,000; 0, the default, is 100. */
  limit?: number;
  /** Give the values too. A page of long values may end before its limit. */
  values?: boolean;
  keyType?: T;
}

export interface ListEntry<T extends KeyType = "string"> {
  key: KeyOf<T>;
  /** The length of the value in bytes. */
  size: number;
  version: number;
  expiresAt: number | undefined;
  /** Present when `values` was asked for. */
  value?: Uint8Array;
}

export interface Page<T extends KeyType = "string"> {
  /** In the order of the keys' bytes. */
  entries: ListEntry<T>[];
  /** Where the next page starts; undefined when this is the last one. */
  next: KeyOf<T> | undefined;
}

export interface WalkOptions<T extends KeyType = "string"> {
  keyType?: T;
}

export interface WatchOptions<T extends KeyType = "string"> {
  /** Only keys that begin with it. */
  prefix?: Key;
  /** Events that wait for a slow reader: default 1024, at most 1,048,576. */
  buffer?: number;
  /** Give the values with "set" events. */
  values?: boolean;
  keyType?: T;
}

export type WatchEvent<T extends KeyType = "string"> =
  | { kind: "set"; key: KeyOf<T>; version: number; value?: Uint8Array; expiresAt?: number }
  | { kind: "delete"; key: KeyOf<T>; version: number }
  | { kind: "expire"; key: KeyOf<T>; version: number }
  /** The key made room for others (stores that evict). */
  | { kind: "evict"; key: KeyOf<T>; version: number }
  /** The store was restored: read everything anew. */
  | { kind: "reset"; version: number }
  /** The reader was slow: that many events are gone. */
  | { kind: "lagged"; lost: number };

/**
 * Hands out changes, those of one key in the order of their versions: either
 * poll() it, or read it with `for await`, which ends when the watcher or the
 * store is closed, and closes the watcher when it is left.
 */
export class Watcher<T extends KeyType = "string"> implements AsyncIterable<WatchEvent<T>> {
  private constructor();
  /** The events that wait, at most max of them. */
  poll(max?: number): WatchEvent<T>[];
  close(): void;
  [Symbol.asyncIterator](): AsyncGenerator<WatchEvent<T>, void, void>;
}

export interface Stats {
  /** Entries, expired ones that were not swept yet included. */
  keys: number;
  /** Bytes that count against the budget. */
  bytes: number;
  /** The budget; 0 is none. */
  bytesMax: number;
  /** The version of the last change. */
  version: number;
  sets: number;
  deletes: number;
  expired: number;
  conflicts: number;
  watchers: number;
}

/** The figures of a kept store's files. Counts are since open(). */
export interface LogStats {
  /** "degraded": writes are refused until there is room. "read-only": until it is opened again. */
  state: "ok" | "degraded" | "read-only";
  /** Why it is not "ok". */
  problem: string | undefined;
  /** Files of the log, and their bytes, that are not compacted yet. */
  segments: number;
  logBytes: number;
  snapshotBytes: number;
  /** Changes that wait in memory. */
  pendingBytes: number;
  writtenBytes: number;
  syncs: number;
  /** When the log was last synced, in Unix milliseconds. */
  syncedAt: number;
  compactions: number;
  /** What open() found: bytes read, files and changes of the log, whether it was closed, what a crash had torn. */
  recovered: { snapshotBytes: number; logBytes: number; segments: number; records: number; clean: boolean; tornBytes: number };
}

/** An open store. Methods are synchronous unless they return a promise. */
export class Store {
  private constructor();
  readonly name: string;

  /** A copy of the value, or undefined. */
  get(key: Key): Uint8Array | undefined;
  /** The value with its version and end, or undefined. */
  getEntry(key: Key): Entry | undefined;
  /** The value as text; ERR_VALUE_ENCODING when it is not UTF-8. */
  getString(key: Key): string | undefined;
  /** The value parsed as JSON; ERR_JSON when it is none. */
  getJSON(key: Key): any;
  has(key: Key): boolean;
  /** The values, in the order of the keys. */
  getMany(keys: Iterable<Key>): (Uint8Array | undefined)[];

  /** Stores a value and returns its version. */
  set(key: Key, value: Value, options?: SetOptions): number;
  /** Stores a value as JSON text and returns its version. */
  setJSON(key: Key, value: unknown, options?: SetOptions): number;
  /** Stores all entries or none and returns their versions. A key may stand once. */
  setMany(entries: Iterable<readonly [key: Key, value: Value, options?: { ttl?: number }]>): number[];
  /** Removes a key and returns the version of the removal, 0 when it was absent. */
  delete(key: Key, options?: DeleteOptions): number;
  /** Removes the keys in one step and returns how many were there. */
  deleteMany(keys: Iterable<Key>): number;
  /**
   * Stores the value only while the key is at `version` (0: absent). The entry
   * keeps its end. Returns the new version, or the one found.
   */
  cas(key: Key, version: number, value: Value): { swapped: boolean; version: number };
  /**
   * Adds to a decimal counter of 64 bits and returns the sum; an absent key
   * counts as 0. The entry keeps its end. With numbers, a sum that a number
   * cannot hold is refused (ERR_RANGE); with a bigint the sum is a bigint.
   */
  increment(key: Key, delta?: number): number;
  increment(key: Key, delta: bigint): bigint;
  /** Gives a key a new time to live in milliseconds (0: for ever); returns the version, 0 when it is absent. */
  expire(key: Key, ttl: number): number;
  /**
   * Runs all operations or, when a condition, limit or budget fails, none.
   * Conditions look at the store before the batch. A key may stand once.
   */
  batch(operations: Iterable<Operation>): OperationResult[];
  /** Removes every key that begins with the prefix and returns how many. */
  clear(prefix?: Key): number;

  /** A page of keys. */
  list<T extends KeyType = "string">(options?: ListOptions<T>): Page<T>;
  /** All keys of a prefix in order. Writing meanwhile is allowed. */
  keys<T extends KeyType = "string">(prefix?: Key, options?: WalkOptions<T>): Generator<KeyOf<T>, void, void>;
  /** All keys and values of a prefix in order. Writing meanwhile is allowed. */
  entries<T extends KeyType = "string">(prefix?: Key, options?: WalkOptions<T>): Generator<[KeyOf<T>, Uint8Array], void, void>;

  /** Hears of changes from now on; a string is the prefix. */
  watch<T extends KeyType = "string">(options?: WatchOptions<T> | string): Watcher<T>;
  /** Gives the keys of a prefix a byte budget of their own; 0 takes it away; "" is the whole store. */
  setBudget(prefix: Key, bytesMax: number): void;
  stats(): Stats;
  /**
   * Sweeps expired entries, at most max, and returns how many. Nothing runs by
   * itself: reads never show an expired entry, but only this frees it and tells
   * the watchers.
   */
  tick(max?: number): number;

  /**
   * Resolves when all that was written before is durable: in memory, at once. Those
   * who call it in one turn share a sync. It fails with ERR_SPACE while there is no
   * room, and may be tried again; with ERR_READ_ONLY for good.
   */
  flush(): Promise<void>;
  /** Rewrites a kept store without its log. It happens by itself too, in pieces, when the log is long. */
  compact(): Promise<void>;
  /** What a kept store has on its disk; all zero in memory. */
  logStats(): LogStats;
  /** The store as it is now, in the format of docs/FORMAT.md, which every build reads. */
  snapshot(): Promise<Uint8Array>;
  /** Replaces the contents. On damage (ERR_SNAPSHOT) nothing changes. */
  restore(source: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes all durable, ends the store and frees its memory; later calls throw ERR_CLOSED. Closing twice is harmless. */
  close(): Promise<void>;
}

/** openWorker() takes what open() takes, but no clock: a function cannot go to a worker. */
export type WorkerOptions = Omit<OpenOptions, "now">;

type Promised<F> = F extends (...args: infer A) => Promise<infer R> ? (...args: A) => Promise<R>
  : F extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;
type PromisedNames = "get" | "getEntry" | "getString" | "getJSON" | "has" | "getMany" | "set" | "setJSON" | "setMany" | "delete" | "deleteMany"
  | "cas" | "expire" | "batch" | "clear" | "setBudget" | "stats" | "tick" | "flush" | "compact" | "logStats" | "snapshot" | "restore" | "close";

/**
 * A store that a worker has: the methods of Store as promises. Calls that are made
 * without waiting for one another travel together, and take effect in the order in
 * which they were made. With sync "always" and "group" a write is durable when its
 * promise resolves.
 */
export interface WorkerStore extends Readonly<{ [Name in PromisedNames]: Promised<Store[Name]> }> {
  readonly name: string;
  increment(key: Key, delta?: number): Promise<number>;
  increment(key: Key, delta: bigint): Promise<bigint>;
  list<T extends KeyType = "string">(options?: ListOptions<T>): Promise<Page<T>>;
  keys<T extends KeyType = "string">(prefix?: Key, options?: WalkOptions<T>): AsyncGenerator<KeyOf<T>, void, void>;
  entries<T extends KeyType = "string">(prefix?: Key, options?: WalkOptions<T>): AsyncGenerator<[KeyOf<T>, Uint8Array], void, void>;
  watch<T extends KeyType = "string">(options?: WatchOptions<T> | string): WorkerWatcher<T>;
}

/** Hands out changes by `for await`, as Watcher does. */
export interface WorkerWatcher<T extends KeyType = "string"> extends AsyncIterable<WatchEvent<T>> {
  /** Resolves when all later changes are heard. */
  ready(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncGenerator<WatchEvent<T>, void, void>;
}

/**
 * Opens a store in a worker of its own, so that neither reading nor syncing keeps this
 * thread. In Node the worker lets the process end when nothing waits for it.
 */
export function openWorker(options?: WorkerOptions): Promise<WorkerStore>;
