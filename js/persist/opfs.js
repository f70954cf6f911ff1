// The back end of persist "opfs". Files of the browser's private file system can be
// used without waiting only through handles, and a handle is made asynchronously. So a
// pool of files stands open, and a map says which of them is which file of the store.
//
// The directory ingot-state/NAME holds the file "map" and the files "slot-000" and so
// on. "map" has two places, at 0 and 32768, which are written in turn, so that a crash
// leaves one whole; of two whole ones the higher number counts:
//
//	 0  8 bytes  INGOTMAP
//	 8  u32      format, 1
//	12  u32      length of the text
//	16  f64      number, counting up from 1
//	24  u32      CRC-32 (IEEE 802.3) of the text and, before it, of the bytes 0 to 24
//	28  text     JSON: {"files": {NAME: SLOT, …}}
//
// Numbers are little-endian. A slot that is not in the map is free, whatever it holds.

import { IngotError } from "../errors.js";
import { ERRNO, FileError, absent } from "./files.js";
import { takeLock } from "./web-lock.js";

const MAP_NAME = "map";
const PLACE_BYTES = 32 << 10;
const HEAD_BYTES = 28;
const FORMAT = 1;
const MAGIC = new TextEncoder().encode("INGOTMAP");

// Files that stand ready: one call of the engine rarely makes more.
const FREE_KEPT = 6;
const SLOTS_MAX = 256;
// A tab that was closed may keep its handles for a moment, though its lock is free.
const BUSY_MILLIS = 25;
const BUSY_TRIES = 200;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** openFiles opens the back end; locked says that the caller has the lock already. */
export async function openFiles({ name, locked = false }) {
  const made = globalThis.FileSystemFileHandle?.prototype.createSyncAccessHandle;
  if (typeof made !== "function" || typeof navigator?.storage?.getDirectory !== "function") {
    throw new IngotError("ERR_PERSIST_UNSUPPORTED", "persist \"opfs\" needs a dedicated worker of a secure page and a browser with synchronous file handles: use openWorker(), or persist \"idb\"");
  }
  const unlock = locked ? () => {} : await takeLock(name);
  const files = new OpfsFiles();
  const release = async () => {
    await files.close();
    unlock();
  };
  try {
    await files.start(name);
  } catch (error) {
    await release();
    throw error;
  }
  return { files, release };
}

/** isSupported reports whether this thread can open such a store. */
export async function isSupported() {
  if (typeof globalThis.FileSystemFileHandle?.prototype.createSyncAccessHandle !== "function") return false;
  try {
    await navigator.storage.getDirectory(); // a private window may have none
    return true;
  } catch {
    return false;
  }
}

class OpfsFiles {
  #directory;
  #map; // the handle of the file "map"
  #number = 0; // of the newest map
  #names = new Map(); // slots by the names of their files
  #free = []; // slots that no durable map knows
  #freed = []; // slots that the durable map may know still
  #slots = 0;
  #changed = false;
  #refilling = Promise.resolve();
  #closed = false;
  #all = []; // every handle

  async start(name) {
    const root = await navigator.storage.getDirectory();
    const parent = await root.getDirectoryHandle("ingot-state", { create: true });
    this.#directory = await parent.getDirectoryHandle(name, { create: true });
    this.#map = await this.#handle(MAP_NAME);
    const found = [];
    for await (const each of this.#directory.keys()) if (/^slot-[0-9]{3}$/.test(each)) found.push(each);
    const handles = await Promise.all(found.map((each) => this.#handle(each)));
    const slots = new Map(found.map((each, i) => [each, { file: each, handle: handles[i], name: null, opens: 0 }]));
    this.#slots = slots.size;
    const map = this.#readMap([...slots.values()].every(({ handle }) => handle.getSize() === 0));
    for (const [file, slot] of Object.entries(map)) {
      const known = slots.get(slot);
      if (known === undefined || known.name !== null) throw new IngotError("ERR_CORRUPT", `the store ${name} lacks the file ${slot}, which holds its ${file}: what is missing cannot be mended; delete the store's data to begin anew`);
      known.name = file;
      this.#names.set(file, known);
    }
    for (const slot of slots.values()) if (slot.name === null) this.#setFree(slot);
    if (this.#number === 0) this.#writeMap(); // from now on slots without a map are damage
    this.refill();
    await this.#refilling;
  }

  // Busy means that another has the file, never that there is none.
  async #handle(file) {
    const entry = await this.#directory.getFileHandle(file, { create: true });
    for (let tries = 1; ; tries++) {
      try {
        const handle = await entry.createSyncAccessHandle();
        this.#all.push(handle);
        return handle;
      } catch (error) {
        if (error.name !== "NoModificationAllowedError" && error.name !== "InvalidStateError") throw failed(error, file);
        if (tries === BUSY_TRIES) throw new IngotError("ERR_LOCKED", `another tab or worker has the file ${file} of the store open: close the store there`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, BUSY_MILLIS));
      }
    }
  }

  #readMap(empty) {
    const size = this.#map.getSize();
    const whole = [0, PLACE_BYTES].map((at) => parsePlace(this.#readPlace(at))).filter((place) => place !== undefined);
    if (whole.length === 0) {
      if (size === 0 || empty) return {};
      throw new IngotError("ERR_CORRUPT", "the store's map of files is damaged in both of its places: delete the store's data to begin anew");
    }
    const newest = whole.reduce((a, b) => (b.number > a.number ? b : a));
    if (newest.format !== FORMAT) throw new IngotError("ERR_FORMAT_VERSION", `a newer version wrote the store (its map of files has format ${newest.format}): update ingot-state`);
    this.#number = newest.number;
    return newest.files;
  }

  #readPlace(at) {
    const bytes = new Uint8Array(PLACE_BYTES);
    return bytes.subarray(0, this.#map.read(bytes, { at }));
  }

  #writeMap() {
    const files = Object.fromEntries([...this.#names].map(([name, slot]) => [name, slot.file]));
    const place = buildPlace(this.#number + 1, files);
    if (place.length > PLACE_BYTES) throw new FileError(ERRNO.NOSPC, "the map of files is full");
    told(MAP_NAME, () => {
      const written = this.#map.write(place, { at: (this.#number + 1) % 2 * PLACE_BYTES });
      if (written < place.length) throw new FileError(ERRNO.NOSPC, "the quota is used up");
      this.#map.flush();
    });
    this.#number++;
    this.#changed = false;
    for (const slot of this.#freed.splice(0)) this.#setFree(slot);
  }

  #setFree(slot) {
    told(slot.file, () => slot.handle.truncate(0));
    this.#free.push(slot);
  }

  list() {
    return [...this.#names.keys()].sort();
  }

  open(name, make) {
    const known = this.#names.get(name);
    if (!make) {
      if (known === undefined) throw absent(name);
      return new OpfsFile(known, this);
    }
    if (known !== undefined) throw new FileError(ERRNO.EXIST, `there is a file ${name}`);
    if (this.#free.length === 0 && this.#freed.length > 0) this.#writeMap();
    const slot = this.#free.pop();
    if (slot === undefined) throw new FileError(ERRNO.NOSPC, "no file stands ready: more are made when the call is over");
    slot.name = name;
    this.#names.set(name, slot);
    this.#changed = true;
    return new OpfsFile(slot, this);
  }

  rename(from, to) {
    const slot = this.#names.get(from);
    if (slot === undefined) throw absent(from);
    if (from === to) return;
    this.#unname(to);
    this.#names.delete(from);
    this.#names.set(to, slot);
    slot.name = to;
    this.#changed = true;
  }

  remove(name) {
    if (!this.#names.has(name)) throw absent(name);
    this.#unname(name);
    this.#changed = true;
  }

  #unname(name) {
    const slot = this.#names.get(name);
    if (slot === undefined) return;
    this.#names.delete(name);
    slot.name = null;
    this.left(slot);
  }

  /** left is called when a slot may have nobody any more. */
  left(slot) {
    if (slot.name === null && slot.opens === 0) this.#freed.push(slot);
  }

  sync() {
    if (this.#changed) this.#writeMap();
  }

  gone() {
    return false;
  }

  /** refill makes files until enough stand ready. It is called between calls of the engine. */
  refill() {
    if (this.#closed || this.#free.length + this.#freed.length >= FREE_KEPT) return;
    this.#refilling = this.#refilling.then(async () => {
      while (!this.#closed && this.#free.length + this.#freed.length < FREE_KEPT && this.#slots < SLOTS_MAX) {
        const file = `slot-${String(this.#slots++).padStart(3, "0")}`;
        const handle = await this.#handle(file);
        this.#setFree({ file, handle, name: null, opens: 0 });
      }
    }).catch(() => {}); // no room: the engine meets it, and says so
  }

  async close() {
    this.#closed = true;
    await this.#refilling;
    for (const handle of this.#all) handle.close();
  }
}

class OpfsFile {
  #slot;
  #files;

  constructor(slot, files) {
    this.#slot = slot;
    this.#files = files;
    slot.opens++;
  }

  size() {
    return told(this.#slot.name, () => this.#slot.handle.getSize());
  }

  read(into, at) {
    return told(this.#slot.name, () => this.#slot.handle.read(into, { at }));
  }

  write(bytes, at) {
    const written = told(this.#slot.name, () => this.#slot.handle.write(bytes, { at }));
    if (written < bytes.length) throw new FileError(ERRNO.NOSPC, "the quota is used up");
  }

  resize(size) {
    told(this.#slot.name, () => this.#slot.handle.truncate(size));
  }

  allocate(size) {
    if (size > this.size()) this.resize(size);
  }

  sync() {
    told(this.#slot.name, () => this.#slot.handle.flush());
  }

  gone() {
    return this.#slot.name === null;
  }

  close() {
    this.#slot.opens--;
    this.#files.left(this.#slot);
  }
}

function buildPlace(number, files) {
  const text = encoder.encode(JSON.stringify({ files }));
  const place = new Uint8Array(HEAD_BYTES + text.length);
  const view = new DataView(place.buffer);
  place.set(MAGIC);
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, text.length, true);
  view.setFloat64(16, number, true);
  place.set(text, HEAD_BYTES);
  view.setUint32(24, checksum(place), true);
  return place;
}

// parsePlace is what a place of the map says, or undefined when it is not whole. Of
// another format only the number is known.
function parsePlace(place) {
  if (place.length < HEAD_BYTES || MAGIC.some((byte, i) => place[i] !== byte)) return undefined;
  const view = new DataView(place.buffer, place.byteOffset);
  const format = view.getUint32(8, true);
  const number = view.getFloat64(16, true);
  const size = view.getUint32(12, true);
  if (size > place.length - HEAD_BYTES) return undefined;
  const whole = place.subarray(0, HEAD_BYTES + size);
  if (checksum(whole) !== view.getUint32(24, true)) return undefined;
  if (format !== FORMAT) return { format, number, files: {} };
  return { format, number, files: JSON.parse(decoder.decode(whole.subarray(HEAD_BYTES))).files };
}

// checksum is CRC-32 without the four bytes in which it stands.
function checksum(place) {
  let crc = 0xffffffff;
  for (let i = 0; i < place.length; i++) {
    if (i >= 24 && i < HEAD_BYTES) continue;
    crc ^= place[i];
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function told(file, call) {
  try {
    return call();
  } catch (error) {
    throw error instanceof FileError ? error : failed(error, file);
  }
}

function failed(error, file) {
  const full = error.name === "QuotaExceededError";
  return new FileError(full ? ERRNO.NOSPC : ERRNO.IO, `${file}: ${full ? "the quota is used up: " : ""}${error.message}`, { cause: error });
}
