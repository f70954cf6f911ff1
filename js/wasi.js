import { IngotError } from "./errors.js";

// The errno values of WASI preview 1 that this shim answers with.
const SUCCESS = 0;
const BADF = 8;
const INVAL = 28;
const NOSYS = 52;

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const TIME_MAX = 8.64e15; // the last time that a Date can show
const RANDOM_BYTES_MAX = 65536; // getRandomValues gives no more at once
const LOG_CHARS_KEPT = 4096;

/** checkedTime refuses what is no time in Unix milliseconds. */
export function checkedTime(millis) {
  if (typeof millis === "number" && millis >= 0 && millis <= TIME_MAX) return millis;
  throw new IngotError("ERR_CLOCK", `now() must return Unix milliseconds from 0 to ${TIME_MAX}, not ${String(millis)}`);
}

/**
 * Wasi gives the engine what it may have of the world: the time, random bytes,
 * a place to complain, and files where the store is kept in some. Every other call
 * of WASI preview 1 is answered with an errno: there are no arguments and there is no
 * environment.
 */
export class Wasi {
  #now;
  #memory = null;
  #decoder = new TextDecoder();
  /** What the engine wrote to its standard output and error: the beginning. */
  log = "";

  /** What answers file calls, or null: then there are no files. */
  files;

  /** @param {() => number} now the time in Unix milliseconds */
  constructor(now, files = null) {
    this.#now = now;
    this.files = files;
  }

  /** bind tells where the instance keeps its memory. */
  bind(memory) {
    this.#memory = memory;
    this.files?.bind(memory);
  }

  /** imports are the functions that a module asks for, known or refused; own are those of a module of another kind. */
  imports(module, own = {}) {
    const known = {
      clock_time_get: (id, _precision, out) => this.#clockTimeGet(id, out),
      random_get: (at, size) => this.#randomGet(at, size),
      fd_write: (fd, vectors, count, out) => this.#fdWrite(fd, vectors, count, out),
      poll_oneoff: (subscriptions, events, count, out) => this.#pollOneoff(subscriptions, events, count, out),
      proc_exit: (status) => this.#procExit(status),
      args_sizes_get: (count, size) => this.#nothing(count, size),
      environ_sizes_get: (count, size) => this.#nothing(count, size),
      args_get: () => SUCCESS,
      environ_get: () => SUCCESS,
      sched_yield: () => SUCCESS,
      ...this.files?.calls(),
    };
    const wasi = {};
    for (const wanted of WebAssembly.Module.imports(module)) {
      if (typeof own[wanted.module]?.[wanted.name] === "function") continue;
      if (wanted.module !== "wasi_snapshot_preview1" || wanted.kind !== "function") {
        throw new IngotError("ERR_ABI", `the wasm file is not an ingot engine: it imports ${wanted.module}.${wanted.name}`);
      }
      wasi[wanted.name] = known[wanted.name] ?? (() => (wanted.name.startsWith("fd_") ? BADF : NOSYS)); // there are no files
    }
    return { ...own, wasi_snapshot_preview1: wasi };
  }

  #view() {
    return new DataView(this.#memory.buffer);
  }

  #clockTimeGet(id, out) {
    if (id !== CLOCK_REALTIME && id !== CLOCK_MONOTONIC) return INVAL;
    const millis = id === CLOCK_REALTIME ? checkedTime(this.#now()) : performance.now();
    const whole = Math.floor(millis);
    const nanos = BigInt(whole) * 1_000_000n + BigInt(Math.floor((millis - whole) * 1e6));
    this.#view().setBigUint64(out, nanos, true);
    return SUCCESS;
  }

  #randomGet(at, size) {
    for (let done = 0; done < size; done += RANDOM_BYTES_MAX) {
      const part = Math.min(RANDOM_BYTES_MAX, size - done);
      crypto.getRandomValues(new Uint8Array(this.#memory.buffer, (at >>> 0) + done, part));
    }
    return SUCCESS;
  }

  #nothing(count, size) {
    const view = this.#view();
    view.setUint32(count, 0, true);
    view.setUint32(size, 0, true);
    return SUCCESS;
  }

  // Only a crash writes: its text goes into the error that the caller sees.
  #fdWrite(fd, vectors, count, out) {
    if (fd !== 1 && fd !== 2) return BADF;
    const view = this.#view();
    let written = 0;
    for (let i = 0; i < count; i++) {
      const at = view.getUint32(vectors + 8 * i, true);
      const size = view.getUint32(vectors + 8 * i + 4, true);
      this.log += this.#decoder.decode(new Uint8Array(this.#memory.buffer, at, size), { stream: true });
      written += size;
    }
    if (this.log.length > LOG_CHARS_KEPT) this.log = this.log.slice(0, LOG_CHARS_KEPT);
    view.setUint32(out, written, true);
    return SUCCESS;
  }

  // The Go runtime asks to wait for a time only when it has nothing else to do.
  // Nothing can wait here: every wait is over at once, and it looks at the
  // clock again.
  #pollOneoff(subscriptions, events, count, out) {
    const view = this.#view();
    for (let i = 0; i < count; i++) {
      const from = subscriptions + SUBSCRIPTION_BYTES * i;
      const to = events + EVENT_BYTES * i;
      const kind = view.getUint8(from + 8);
      view.setBigUint64(to, view.getBigUint64(from, true), true);
      view.setUint16(to + 8, kind === 0 ? SUCCESS : BADF, true);
      view.setUint8(to + 10, kind);
    }
    view.setUint32(out, count, true);
    return SUCCESS;
  }

  #procExit(status) {
    throw new Error(`the engine ended itself with status ${status}`);
  }
}
