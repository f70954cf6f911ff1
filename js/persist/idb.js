// The back end of persist "idb": files in memory, whose changes go to IndexedDB in one
// transaction, which takes all of them or none. It is for browsers that lack what "opfs"
// needs; beside a worker it runs in a page as well.
//
// The database "ingot-state:NAME", version 1, has two object stores. "meta" holds under
// "files" {format: 1, next: ID, files: {NAME: {id: ID, size: BYTES}, …}}; "blocks" holds
// under [ID, N] the 16 KiB of a file from 16384*N on, where they are not all zeros.

import { IngotError } from "../errors.js";
import { ERRNO, FileError, absent } from "./files.js";
import { takeLock } from "./web-lock.js";

const BLOCK_BYTES = 16 << 10;
const VERSION = 1;
const FORMAT = 1;

/** openFiles opens the back end; locked says that the caller has the lock already. */
export async function openFiles({ name, locked = false }) {
  if (globalThis.indexedDB === undefined) throw new IngotError("ERR_PERSIST_UNSUPPORTED", "there is no IndexedDB here: in Node use persist \"fs\"");
  const unlock = locked ? () => {} : await takeLock(name);
  try {
    const database = await openDatabase(`ingot-state:${name}`);
    const files = new IdbFiles(database);
    await files.load();
    const release = async () => {
      await files.settled();
      database.close();
      unlock();
    };
    return { files, release };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openDatabase(name) {
  const request = indexedDB.open(name, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("meta");
    request.result.createObjectStore("blocks");
  };
  try {
    return await done(request);
  } catch (error) {
    if (error.name === "VersionError") throw new IngotError("ERR_FORMAT_VERSION", "a newer version wrote the store: update ingot-state", { cause: error });
    throw told(error);
  }
}

class IdbFiles {
  #database;
  #files = new Map(); // by name
  #next = 1;
  #gone = new Set(); // ids of files whose blocks are to be removed
  #changed = false;
  #full = null; // why the last commit had no room
  #lost = null; // why none will ever succeed
  #running = Promise.resolve();
  #waiting = null; // the commit behind the one that runs

  constructor(database) {
    this.#database = database;
    database.onclose = () => (this.#lost = new FileError(ERRNO.IO, "the browser has closed the database: its data were deleted"));
  }

  async load() {
    const transaction = this.#database.transaction(["meta", "blocks"]);
    const blocks = transaction.objectStore("blocks");
    const [meta, count] = await Promise.all([done(transaction.objectStore("meta").get("files")), done(blocks.count())]);
    if (meta === undefined) {
      if (count > 0) throw new IngotError("ERR_CORRUPT", "the store's database lost its list of files: delete the store's data to begin anew");
      return;
    }
    if (meta.format !== FORMAT) throw new IngotError("ERR_FORMAT_VERSION", `a newer version wrote the store (format ${meta.format}): update ingot-state`);
    this.#next = meta.next;
    await Promise.all(Object.entries(meta.files).map(async ([name, { id, size }]) => {
      const range = IDBKeyRange.bound([id, 0], [id, Infinity]);
      const [keys, values] = await Promise.all([done(blocks.getAllKeys(range)), done(blocks.getAll(range))]);
      const file = { id, name, size, blocks: [], dirty: new Set() };
      keys.forEach(([, number], i) => (file.blocks[number] = values[i]));
      this.#files.set(name, file);
    }));
  }

  list() {
    return [...this.#files.keys()].sort();
  }

  open(name, make) {
    const known = this.#files.get(name);
    if (!make) {
      if (known === undefined) throw absent(name);
      return new IdbFile(known, this);
    }
    if (known !== undefined) throw new FileError(ERRNO.EXIST, `there is a file ${name}`);
    const file = { id: this.#next++, name, size: 0, blocks: [], dirty: new Set() };
    this.#files.set(name, file);
    this.#changed = true;
    return new IdbFile(file, this);
  }

  rename(from, to) {
    const file = this.#files.get(from);
    if (file === undefined) throw absent(from);
    if (from === to) return;
    if (this.#files.has(to)) this.remove(to);
    this.#files.delete(from);
    this.#files.set(to, file);
    file.name = to;
    this.#changed = true;
  }

  remove(name) {
    const file = this.#files.get(name);
    if (file === undefined) throw absent(name);
    this.#files.delete(name);
    file.name = null;
    this.#gone.add(file.id);
    this.#changed = true;
  }

  /** wrote is called when a file changes; it throws where that would be for nothing. */
  wrote() {
    if (this.#lost !== null) throw this.#lost;
    if (this.#full !== null) {
      this.commit().catch(() => {}); // there may be room for the next one
      throw this.#full;
    }
    this.#changed = true;
  }

  // What the engine syncs goes to the disk with the next commit, and so do the
  // promises that wait for it.
  sync() {
    if (this.#lost !== null) throw this.#lost;
  }

  gone() {
    return false;
  }

  /** commit resolves when all that was changed before is on the disk. */
  commit() {
    if (this.#waiting !== null) return this.#waiting;
    if (!this.#changed) return this.#running;
    this.#waiting = this.#running.catch(() => {}).then(() => {
      this.#waiting = null;
      this.#running = this.#transact();
      return this.#running;
    });
    return this.#waiting;
  }

  /** settled resolves when no commit runs. */
  async settled() {
    await Promise.allSettled([this.#waiting, this.#running]);
  }

  async #transact() {
    if (this.#lost !== null) throw storageError(this.#lost);
    const written = [...this.#files.values()].filter(({ dirty }) => dirty.size > 0).map((file) => [file, file.dirty]);
    const gone = [...this.#gone];
    try {
      const transaction = this.#database.transaction(["meta", "blocks"], "readwrite", { durability: "strict" });
      const finished = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error ?? new DOMException("the transaction was aborted", "AbortError"));
      });
      this.#changed = false;
      this.#put(transaction, written, gone);
      await finished;
      for (const id of gone) this.#gone.delete(id);
      this.#full = null;
    } catch (error) {
      this.#changed = true;
      for (const [file, dirty] of written) for (const number of dirty) file.dirty.add(number);
      const failure = told(error);
      if (failure.errno === ERRNO.NOSPC) this.#full = failure;
      throw storageError(failure);
    }
  }

  #put(transaction, written, gone) {
    const files = Object.fromEntries([...this.#files].map(([name, { id, size }]) => [name, { id, size }]));
    transaction.objectStore("meta").put({ format: FORMAT, next: this.#next, files }, "files");
    const blocks = transaction.objectStore("blocks");
    for (const id of gone) blocks.delete(IDBKeyRange.bound([id, 0], [id, Infinity]));
    for (const [file, dirty] of written) {
      file.dirty = new Set();
      for (const number of dirty) {
        if (file.blocks[number] === undefined) blocks.delete([file.id, number]);
        else blocks.put(file.blocks[number], [file.id, number]);
      }
    }
  }
}

class IdbFile {
  #file;
  #files;

  constructor(file, files) {
    this.#file = file;
    this.#files = files;
  }

  size() {
    return this.#file.size;
  }

  read(into, at) {
    const { size, blocks } = this.#file;
    const count = Math.max(0, Math.min(into.length, size - at));
    for (let done = 0; done < count; ) {
      const [number, from, length] = part(at + done, count - done);
      const block = blocks[number];
      if (block === undefined) into.fill(0, done, done + length);
      else into.set(block.subarray(from, from + length), done);
      done += length;
    }
    return count;
  }

  write(bytes, at) {
    this.#files.wrote();
    const file = this.#file;
    for (let done = 0; done < bytes.length; ) {
      const [number, from, length] = part(at + done, bytes.length - done);
      file.blocks[number] ??= new Uint8Array(BLOCK_BYTES);
      file.blocks[number].set(bytes.subarray(done, done + length), from);
      file.dirty.add(number);
      done += length;
    }
    file.size = Math.max(file.size, at + bytes.length);
  }

  resize(size) {
    this.#files.wrote();
    const file = this.#file;
    if (size < file.size) {
      const last = Math.ceil(size / BLOCK_BYTES);
      for (let number = last; number < file.blocks.length; number++) if (file.blocks[number] !== undefined) file.dirty.add(number);
      file.blocks.length = Math.min(file.blocks.length, last);
      const within = size % BLOCK_BYTES;
      if (within > 0 && file.blocks[last - 1] !== undefined) {
        file.blocks[last - 1].fill(0, within);
        file.dirty.add(last - 1);
      }
    }
    file.size = size;
  }

  allocate() {
    throw new FileError(ERRNO.NOTSUP, "IndexedDB keeps no room");
  }

  sync() {
    this.#files.sync();
  }

  gone() {
    return this.#file.name === null;
  }

  close() {}
}

// part is the block in which a place lies, where in it, and how much of count it takes.
function part(at, count) {
  const from = at % BLOCK_BYTES;
  return [(at - from) / BLOCK_BYTES, from, Math.min(count, BLOCK_BYTES - from)];
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function told(error) {
  if (error instanceof FileError) return error;
  const full = error.name === "QuotaExceededError";
  return new FileError(full ? ERRNO.NOSPC : ERRNO.IO, full ? `the quota is used up: ${error.message}` : `IndexedDB: ${error.message}`, { cause: error });
}

function storageError(failure) {
  const full = failure.errno === ERRNO.NOSPC;
  return new IngotError(full ? "ERR_SPACE" : "ERR_STORAGE", failure.message, { cause: failure });
}
