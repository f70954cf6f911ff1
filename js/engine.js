import { ABSENT, CONFLICT, IngotError, codeOf, typeError } from "./errors.js";
import { Wasi } from "./wasi.js";

/** The version of the exports that this package speaks; see docs/ABI.md. */
const ABI_VERSION = 1;

/** The limits of the ABI, checked here before anything is copied. */
export const KEY_BYTES_MAX = 64 << 10;
export const VALUE_BYTES_MAX = 64 << 20;
const AREA_BYTES_MAX = 256 << 20;

/** No UTF-16 code unit takes more UTF-8 bytes. */
const UTF8_PER_UNIT = 3;

/** The bytes that a key may need while it is being encoded. */
export const KEY_SPACE = KEY_BYTES_MAX * UTF8_PER_UNIT;

/** Up to this length a loop beats the built-in encoder. */
const SHORT = 64;

/** An area that a call left larger than this is given back. */
const AREA_BYTES_KEPT = 1 << 20;

const EXPORTS = exportNames(
  "abi address area_bytes batch budget cas clear close delete delete_many error exists expire get get_many increment list open poll registers restore_close restore_end restore_open restore_write scratch set set_many snapshot_close snapshot_open snapshot_read stat stats tick unwatch watch",
);
EXPORTS.push("_initialize");

// Asked for where a store is kept in files.
const FILE_EXPORTS = exportNames("open_dir flush work compact log_stats");

function exportNames(names) {
  return names.split(" ").map((name) => `ingot_${name}`);
}

// The states of an engine. Only OPEN takes calls.
export const OPEN = 0;
const BUSY = 1;
const CLOSED = 2;
const POISONED = 3;

// Errors of these codes are about files, and may come from what a file call threw.
const STORAGE_CODES = new Set(["ERR_SPACE", "ERR_READ_ONLY", "ERR_STORAGE"]);

const TWO_32 = 4294967296;
const HIGH_MAX = 0x1fffff; // the high word of Number.MAX_SAFE_INTEGER

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Engine is one instance of engine.wasm: its exports, and its memory as arrays.
 * A request lies at the start of the area, the reply behind it. Whoever calls
 * an export must look at the arrays only after `moved()`: memory that grew has
 * detached the old ones.
 */
export class Engine {
  /** One of the states above. */
  state = OPEN;
  /** The exports. */
  x = null;
  /** All of the memory. */
  u8 = null;
  view = null;
  /** The store's clock, in Unix milliseconds; to be read only in the state OPEN. */
  now = null;
  /** The area: its address, its size, and the end of the request written. */
  area = 0;
  areaBytes = 0;
  at = 0;

  #registers = 0;
  #words = null;
  #longs = null;
  #wasi = null;
  #poison = null;

  /**
   * start makes an instance. now is the clock, in Unix milliseconds; files, if
   * given, answer its file calls (see persist/wasi-files.js).
   */
  static async start(module, now, files = null) {
    const engine = new Engine();
    engine.now = () => engine.#readClock(now);
    engine.#wasi = new Wasi(engine.now, files);
    let instance;
    try {
      instance = await WebAssembly.instantiate(module, engine.#wasi.imports(module));
    } catch (cause) {
      if (cause instanceof IngotError) throw cause;
      throw new IngotError("ERR_WASM", `the engine cannot be instantiated: ${cause.message}`, { cause });
    }
    engine.#attach(instance.exports);
    return engine;
  }

  #attach(exports) {
    const { ingot_abi: abi, memory } = exports;
    if (typeof abi !== "function") {
      throw new IngotError("ERR_ABI", "the wasm file is not an ingot engine: it has no export ingot_abi");
    }
    this.x = exports;
    if (memory instanceof WebAssembly.Memory) this.#wasi.bind(memory);
    if (typeof exports._initialize === "function") this.call("_initialize");
    const version = this.call("ingot_abi");
    if (version !== ABI_VERSION) {
      throw new IngotError("ERR_ABI", `the engine has ABI version ${version} and this package speaks ${ABI_VERSION}: use the engine.wasm that came with it`);
    }
    const wanted = this.#wasi.files === null ? EXPORTS : [...EXPORTS, ...FILE_EXPORTS];
    const missing = wanted.filter((name) => typeof exports[name] !== "function");
    if (missing.length > 0 || !(memory instanceof WebAssembly.Memory)) {
      throw new IngotError("ERR_ABI", `the engine lacks exports: ${missing.join(", ") || "memory"}`);
    }
    this.#registers = this.call("ingot_registers") >>> 0;
    this.refresh();
    this.findArea();
  }

  // A clock that calls the store back would find it in the middle of a call.
  #readClock(now) {
    this.state = BUSY;
    try {
      return now();
    } finally {
      this.state = OPEN;
    }
  }

  /** refuse throws what a call gets in any state but OPEN. */
  refuse() {
    if (this.state === CLOSED) throw new IngotError("ERR_CLOSED", "the store is closed");
    if (this.state === BUSY) throw new IngotError("ERR_BUSY", "now() may not use the store that asks for the time");
    throw new IngotError("ERR_POISONED", `the engine trapped earlier and cannot be used; open a new store (${this.#poison.message})`, { cause: this.#poison });
  }

  /** closed tells whether close() was called. */
  get closed() {
    return this.state === CLOSED;
  }

  /** poisoned marks the instance as unusable and returns the error to throw. */
  poisoned(cause) {
    const log = this.#wasi.log.split("\n", 1)[0];
    this.#poison = cause;
    this.state = POISONED;
    this.release();
    const reason = log === "" ? cause.message : `${cause.message}: ${log}`;
    return new IngotError("ERR_POISONED", `the engine trapped and cannot be used any more: ${reason}`, { cause });
  }

  /** close takes no more calls and lets the memory go. */
  close() {
    this.state = CLOSED;
    this.release();
  }

  release() {
    this.#wasi.files?.closeAll();
    this.x = this.u8 = this.view = this.#words = this.#longs = null;
  }

  /** call calls an export; a trap poisons the instance. */
  call(name, a, b, c, d, e) {
    let result;
    try {
      result = this.x[name](a, b, c, d, e);
    } catch (cause) {
      throw this.poisoned(cause);
    }
    if (this.u8 !== null && this.u8.length === 0) this.refresh();
    return result;
  }

  /** checked is call for exports whose negative results are errors. */
  checked(name, a, b, c, d, e) {
    const result = this.call(name, a, b, c, d, e);
    if (result < 0) throw this.failure(result);
    return result;
  }

  /** refresh makes the arrays anew after the memory has grown. */
  refresh() {
    const { buffer } = this.x.memory;
    this.u8 = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.#words = new Uint32Array(buffer, this.#registers, 4);
    this.#longs = new BigInt64Array(buffer, this.#registers, 2);
  }

  findArea() {
    this.area = this.call("ingot_address") >>> 0;
    this.areaBytes = this.call("ingot_area_bytes") >>> 0;
  }

  /** failure is the error of a negative result. */
  failure(number) {
    const version = this.#words[0] + this.#words[1] * TWO_32;
    const index = this.#words[2];
    const size = this.call("ingot_error");
    if (size > this.areaBytes) this.findArea();
    const code = codeOf(number);
    const cause = STORAGE_CODES.has(code) ? this.#wasi.files?.failure : undefined;
    const text = new TextDecoder().decode(this.u8.subarray(this.area, this.area + size));
    const error = new IngotError(code, text, cause == null ? undefined : { cause });
    if (number === CONFLICT) {
      error.version = version;
      error.index = index;
    }
    return error;
  }

  /** reserve makes room for a request of that many bytes; what the area held is lost. */
  reserve(size) {
    if (size <= this.areaBytes) return;
    const address = size > AREA_BYTES_MAX ? 0 : this.call("ingot_scratch", size) >>> 0;
    if (address === 0) {
      throw new IngotError("ERR_BATCH_SIZE", `one call can carry ${AREA_BYTES_MAX} bytes and this one has ${size}: split it`);
    }
    this.findArea();
  }

  /** trim gives back the room that a large request or reply has taken. */
  trim() {
    if (this.areaBytes <= AREA_BYTES_KEPT) return;
    this.call("ingot_scratch", 0);
    this.findArea();
  }

  /** replyAt is where a reply of that size lies that stands behind `from` bytes of request. */
  replyAt(from, size) {
    if (from + size > this.areaBytes) this.findArea();
    return this.area + from;
  }

  // Registers.

  /** version reads register 0. */
  version() {
    const high = this.#words[1];
    if (high > HIGH_MAX) throw rangeError("a version", this.#longs[0]);
    return this.#words[0] + high * TWO_32;
  }

  /** second reads register 1 as a count or time. */
  second() {
    const high = this.#words[3];
    if (high > HIGH_MAX) throw rangeError("a time", this.#longs[1]);
    return this.#words[2] + high * TWO_32;
  }

  /** sum reads register 1 as a signed 64-bit number. */
  sum() {
    return this.#longs[1];
  }

  setFirst(number) {
    this.#words[0] = number % TWO_32;
    this.#words[1] = Math.floor(number / TWO_32);
  }

  setSecond(number) {
    this.#words[2] = number % TWO_32;
    this.#words[3] = Math.floor(number / TWO_32);
  }

  /** setRegister writes a register by its number. */
  setRegister(index, number) {
    this.view.setUint32(this.#registers + 8 * index, number % TWO_32, true);
    this.view.setUint32(this.#registers + 8 * index + 4, Math.floor(number / TWO_32), true);
  }

  setSigned(bigint) {
    this.#longs[0] = bigint;
  }

  // Writing a request. The caller has reserved the room.

  /** key writes a key at the start of the area and returns its length in bytes. */
  key(key) {
    if (typeof key === "string" && key.length <= SHORT) {
      const { u8, area } = this;
      const { length } = key;
      let i = 0;
      for (; i < length; i++) {
        const unit = key.charCodeAt(i);
        if (unit > 127) break;
        u8[area + i] = unit;
      }
      if (i === length) return length;
    }
    return this.keyAt(key, 0, "a key");
  }

  /** keyAt writes a key or prefix of any kind at an offset of the area. */
  keyAt(key, offset, what) {
    if (typeof key !== "string" && !(key instanceof Uint8Array)) {
      throw typeError(what, "a string or a Uint8Array", key);
    }
    if (key.length > KEY_BYTES_MAX) {
      const code = what === "a key" ? "ERR_KEY_SIZE" : "ERR_OPTIONS";
      throw new IngotError(code, `${what} must have at most ${KEY_BYTES_MAX} bytes, not ${key.length}`);
    }
    return this.bytesAt(key, offset, what, "ERR_KEY_ENCODING");
  }

  /** valueAt writes a value at an offset of the area and returns its length in bytes. */
  valueAt(value, offset) {
    return this.bytesAt(value, offset, "a value", "ERR_VALUE_ENCODING");
  }

  bytesAt(bytes, offset, what, encodingCode) {
    const at = this.area + offset;
    if (typeof bytes === "string") return this.#textAt(bytes, at, what, encodingCode);
    if (bytes.length === 0) checkAttached(bytes, what);
    this.u8.set(bytes, at);
    return bytes.length;
  }

  #textAt(text, at, what, encodingCode) {
    const { u8 } = this;
    const { length } = text;
    if (length <= SHORT) {
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 127) break;
        u8[at + i] = unit;
      }
      if (i === length) return length;
    }
    const { written } = encoder.encodeInto(text, u8.subarray(at, at + length * UTF8_PER_UNIT));
    if (written !== length && !isWellFormed(text)) {
      throw new IngotError(encodingCode, `${what} holds half of a surrogate pair, which UTF-8 cannot express`);
    }
    return written;
  }

  u32(number) {
    this.view.setUint32(this.area + this.at, number, true);
    this.at += 4;
  }

  u64(number) {
    this.view.setUint32(this.area + this.at, number % TWO_32, true);
    this.view.setUint32(this.area + this.at + 4, Math.floor(number / TWO_32), true);
    this.at += 8;
  }

  // Reading a reply, at an address.

  u32At(at) {
    return this.view.getUint32(at, true);
  }

  u64At(at, what) {
    const high = this.view.getUint32(at + 4, true);
    if (high > HIGH_MAX) throw rangeError(what, this.view.getBigUint64(at, true));
    return this.view.getUint32(at, true) + high * TWO_32;
  }

  /** keyFrom reads a key as a string or, when asked for, as bytes. */
  keyFrom(at, size, asBytes) {
    return asBytes ? this.u8.slice(at, at + size) : this.decodeKey(this.u8.subarray(at, at + size));
  }

  decodeKey(bytes) {
    return decodeText(bytes, "a key", "ERR_KEY_ENCODING", "; ask for keyType \"bytes\"");
  }
}

/** valueBytesMax is an upper bound of a value's encoded length; it refuses what is no value. */
export function valueBytesMax(value) {
  if (typeof value === "string") {
    if (value.length > VALUE_BYTES_MAX) throw valueSizeError(value.length);
    return value.length * UTF8_PER_UNIT;
  }
  if (!(value instanceof Uint8Array)) throw typeError("a value", "a Uint8Array or a string", value);
  if (value.length > VALUE_BYTES_MAX) throw valueSizeError(value.length);
  return value.length;
}

/** keyBytesMax is an upper bound of a key's encoded length; it refuses what is no key. */
export function keyBytesMax(key) {
  if (typeof key === "string") return key.length * UTF8_PER_UNIT;
  if (key instanceof Uint8Array) return key.length;
  throw typeError("a key", "a string or a Uint8Array", key);
}

/** decodeText reads UTF-8 and refuses anything else. */
export function decodeText(bytes, what, code, hint = "") {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new IngotError(code, `${what} is not valid UTF-8${hint}`, { cause });
  }
}

export { ABSENT };

function valueSizeError(size) {
  return new IngotError("ERR_VALUE_SIZE", `the value is too long: it has ${size} bytes and the limit is ${VALUE_BYTES_MAX}`);
}

function rangeError(what, found) {
  return new IngotError("ERR_RANGE", `${what} is ${found}, which a JavaScript number cannot hold exactly`);
}

// A detached array looks like an empty one.
function checkAttached(bytes, what) {
  try {
    new Uint8Array(bytes.buffer);
  } catch (cause) {
    throw new IngotError("ERR_DETACHED", `${what} is a Uint8Array whose buffer was transferred or detached`, { cause });
  }
}

function isWellFormed(text) {
  if (typeof text.isWellFormed === "function") return text.isWellFormed();
  return !/\p{Surrogate}/u.test(text);
}
