// WASI preview 1 as a tool gets it: a clock, random bytes, the environment that
// the policy grants, an empty input, and output that goes to the log. There are
// no files, folders and sockets.

const SUCCESS = 0;
const BADF = 8;
const FAULT = 21;
const INVAL = 28;
const NOSYS = 52;

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const KIND_CLOCK = 0;
const CLOCK_ABSOLUTE = 1;
const SUBSCRIPTIONS_MAX = 1024;
const READING_NANOS = 1000n; // by which a reading moves the virtual clock
const NANOS_MAX = 1n << 62n;
const RANDOM_BYTES_MAX = 65536; // getRandomValues gives no more at once

const encoder = new TextEncoder();

/** Exit is thrown by proc_exit, to leave the guest. */
export class Exit extends Error {
  constructor(status) {
    super(`exit code ${status}`);
    this.status = status;
  }
}

/** wasiImports are the functions, over the call that runs now. */
export function wasiImports(host) {
  const view = () => new DataView(host.memory.buffer);
  const nothing = (count, size) => put32(view(), [[count, 0], [size, 0]]);
  const known = {
    args_sizes_get: nothing,
    args_get: () => SUCCESS,
    environ_sizes_get: (count, size) => environSizes(host, view(), count, size),
    environ_get: (pointers, buffer) => environ(host, view(), pointers, buffer),
    clock_time_get: (id, _precision, out) => clockTime(host.call, view(), id, out),
    clock_res_get: (id, out) => clockResolution(view(), id, out),
    random_get: (at, size) => random(host, at >>> 0, size >>> 0),
    fd_write: (fd, vectors, count, out) => write(host, view(), fd, vectors >>> 0, count >>> 0, out),
    fd_read: (fd, _vectors, _count, out) => (fd === 0 ? put32(view(), [[out, 0]]) : BADF),
    fd_fdstat_get: (fd, out) => fdstat(view(), fd, out >>> 0),
    poll_oneoff: (from, to, count, out) => poll(host.call, view(), from >>> 0, to >>> 0, count >>> 0, out),
    sched_yield: () => SUCCESS,
    proc_exit: (status) => {
      throw new Exit(status);
    },
  };
  for (const name of ["fd_close", "fd_prestat_get", "fd_prestat_dir_name", "fd_seek", "fd_tell", "fd_fdstat_set_flags", "fd_filestat_get"]) known[name] = () => BADF;
  return Object.fromEntries(Object.entries(known).map(([name, f]) => [name, guarded(f)]));
}

/** UNKNOWN answers every other function of WASI. */
export const UNKNOWN = () => NOSYS;

// A pointer outside memory is the guest's mistake, and an errno tells it so.
function guarded(f) {
  return (...args) => {
    try {
      return f(...args);
    } catch (error) {
      if (error instanceof RangeError) return FAULT;
      throw error;
    }
  };
}

function put32(view, pairs) {
  for (const [at, value] of pairs) view.setUint32(at >>> 0, value, true);
  return SUCCESS;
}

function environSizes(host, view, count, size) {
  const bytes = host.policy.env.reduce((sum, line) => sum + encoder.encode(line).length + 1, 0);
  return put32(view, [[count, host.policy.env.length], [size, bytes]]);
}

function environ(host, view, pointers, buffer) {
  const memory = new Uint8Array(view.buffer);
  let at = buffer >>> 0;
  for (const [i, line] of host.policy.env.entries()) {
    const bytes = encoder.encode(`${line}\0`);
    if (at + bytes.length > memory.length) return FAULT;
    view.setUint32((pointers >>> 0) + 4 * i, at, true);
    memory.set(bytes, at);
    at += bytes.length;
  }
  return SUCCESS;
}

function clockTime(call, view, id, out) {
  if (id !== CLOCK_REALTIME && id !== CLOCK_MONOTONIC) return INVAL;
  view.setBigUint64(out >>> 0, call.clock.read(id === CLOCK_REALTIME), true);
  return SUCCESS;
}

function clockResolution(view, id, out) {
  if (id !== CLOCK_REALTIME && id !== CLOCK_MONOTONIC) return INVAL;
  view.setBigUint64(out >>> 0, READING_NANOS, true);
  return SUCCESS;
}

function random(host, at, size) {
  if (at + size > host.memory.buffer.byteLength) return FAULT;
  const bytes = new Uint8Array(host.memory.buffer, at, size);
  host.call.random.fill(bytes);
  return SUCCESS;
}

function write(host, view, fd, vectors, count, out) {
  if (fd !== 1 && fd !== 2) return BADF;
  let written = 0;
  for (let i = 0; i < count; i++) {
    const at = view.getUint32(vectors + 8 * i, true);
    const size = view.getUint32(vectors + 8 * i + 4, true);
    host.call.log.stream(fd, new Uint8Array(view.buffer, at, size));
    written += size;
  }
  return put32(view, [[out, written]]);
}

function fdstat(view, fd, out) {
  if (fd < 0 || fd > 2) return BADF;
  for (let i = 0; i < 24; i += 8) view.setBigUint64(out + i, 0n, true);
  view.setUint8(out, 2); // a character device
  return SUCCESS;
}

// A tool sleeps by its clock: the virtual one jumps. The real one does not wait
// either, since nothing may block the thread; it says that the time has come.
function poll(call, view, from, to, count, out) {
  if (count === 0 || count > SUBSCRIPTIONS_MAX) return INVAL;
  for (let i = 0; i < count; i++) {
    const subscription = from + SUBSCRIPTION_BYTES * i;
    const event = to + EVENT_BYTES * i;
    const kind = view.getUint8(subscription + 8);
    view.setBigUint64(event, view.getBigUint64(subscription, true), true);
    view.setUint16(event + 8, kind === KIND_CLOCK ? SUCCESS : BADF, true);
    view.setUint8(event + 10, kind);
    const absolute = view.getUint16(subscription + 40, true) & CLOCK_ABSOLUTE;
    if (kind === KIND_CLOCK && !absolute) call.clock.sleep(view.getBigUint64(subscription + 24, true));
  }
  return put32(view, [[out, count]]);
}

/** Clock is the time a guest sees in one call. */
export class Clock {
  #real;
  #nanos = 0n;

  constructor(kind) {
    this.#real = kind === "real";
  }

  read(wall) {
    if (this.#real) return nanosOf(wall ? Date.now() : performance.now());
    this.#nanos += READING_NANOS;
    return this.#nanos;
  }

  sleep(nanos) {
    const sum = this.#nanos + nanos;
    this.#nanos = sum > NANOS_MAX ? NANOS_MAX : sum;
  }
}

function nanosOf(millis) {
  const whole = Math.floor(millis);
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((millis - whole) * 1e6));
}

/** Random gives the operating system's random bytes, or by a seed the same ones in each call. */
export class Random {
  #seed;
  #state;

  /** @param {Uint8Array | undefined} seed 32 bytes */
  constructor(seed) {
    this.#seed = seed;
    this.#state = seed && new Uint32Array(seed.slice().buffer);
  }

  fill(bytes) {
    if (this.#seed !== undefined) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.#next() >>> 24;
      return;
    }
    for (let at = 0; at < bytes.length; at += RANDOM_BYTES_MAX) {
      crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
    }
  }

  // xoshiro128**, by Blackman and Vigna; repeatable, not for secrets.
  #next() {
    const s = this.#state;
    const result = Math.imul(rotated(Math.imul(s[1], 5), 7), 9);
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 11);
    return result;
  }
}

function rotated(x, bits) {
  return (x << bits) | (x >>> (32 - bits));
}
