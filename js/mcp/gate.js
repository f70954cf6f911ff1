// The gate is descriptor 3 of mcp.wasm: it can be read exactly when the module asks to
// wait, which is when none of its goroutines can go on. So mcp_run, which reads it,
// returns then; see docs/ABI.md.

const SUCCESS = 0;
const AGAIN = 6;
const BADF = 8;

const GATE = 3;
const SOCKET_STREAM = 6;
const NONBLOCK = 4;
const FDSTAT_BYTES = 24;

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const CLOCK = 0;
const FD_READ = 1;
const CLOCK_ABSOLUTE = 1;
const NANOS_PER_MILLI = 1e6;

/** Gate answers the calls of WASI that are about waiting. */
export class Gate {
  /** How many milliseconds the module would wait, from when mcp_run returned; Infinity is until it is called. */
  wait = Infinity;

  #memory = null;
  #open = false;

  bind(memory) {
    this.#memory = memory;
  }

  /** calls are the functions that take the place of those in wasi.js. */
  calls() {
    return {
      fd_fdstat_get: (fd, out) => this.#fdstat(fd, out >>> 0),
      fd_read: (fd, vectors, _count, out) => this.#read(fd, vectors >>> 0, out >>> 0),
      poll_oneoff: (subscriptions, events, count, out) => this.#poll(subscriptions >>> 0, events >>> 0, count >>> 0, out >>> 0),
    };
  }

  closeAll() {}

  #view() {
    return new DataView(this.#memory.buffer);
  }

  #fdstat(fd, out) {
    if (fd !== GATE) return BADF;
    const view = this.#view();
    for (let i = 0; i < FDSTAT_BYTES; i += 8) view.setBigUint64(out + i, 0n, true);
    view.setUint8(out, SOCKET_STREAM);
    view.setUint16(out + 2, NONBLOCK, true);
    return SUCCESS;
  }

  #read(fd, vectors, out) {
    if (fd !== GATE) return BADF;
    if (!this.#open) return AGAIN;
    this.#open = false;
    const view = this.#view();
    view.setUint8(view.getUint32(vectors, true), 0);
    view.setUint32(out, 1, true);
    return SUCCESS;
  }

  // Go asks twice: with a timeout of 0, to look, and with the time of its next timer,
  // or none, when there is nothing else to do. A wait outside mcp_run is over at once.
  #poll(subscriptions, events, count, out) {
    const view = this.#view();
    let millis = Infinity;
    let gate = -1;
    let clock = -1;
    for (let i = 0; i < count; i++) {
      const at = subscriptions + SUBSCRIPTION_BYTES * i;
      const kind = view.getUint8(at + 8);
      if (kind === CLOCK && (view.getUint16(at + 40, true) & CLOCK_ABSOLUTE) === 0) {
        clock = at;
        millis = Number(view.getBigUint64(at + 24, true)) / NANOS_PER_MILLI;
      } else if (kind === FD_READ && view.getUint32(at + 16, true) === GATE) {
        gate = at;
      }
    }
    const ready = gate < 0 ? clock : millis > 0 ? gate : -1;
    if (gate >= 0 && millis > 0) {
      this.wait = millis;
      this.#open = true;
    }
    if (ready >= 0) this.#event(view, ready, events);
    view.setUint32(out, ready < 0 ? 0 : 1, true);
    return SUCCESS;
  }

  #event(view, from, to) {
    for (let i = 0; i < EVENT_BYTES; i += 8) view.setBigUint64(to + i, 0n, true);
    view.setBigUint64(to, view.getBigUint64(from, true), true);
    view.setUint8(to + 10, view.getUint8(from + 8));
  }
}
