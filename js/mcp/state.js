import { ABSENT, OPEN } from "../engine.js";
import { CLOSED as CODE_CLOSED, INTERNAL as CODE_INTERNAL } from "../errors.js";

// The heads of a request and of a reply; see "mcp.wasm" in docs/ABI.md.
const REQUEST_HEAD = 36;
const REPLY_HEAD = 20;
const REGISTERS_BYTES = 16;

const STORE = true; // the first parameter is the store's handle

// By the number of the operation: the export that does it, whether that takes the
// store's handle, how many parameters it takes beside, where its reply stands ("none",
// "start" of the area, or "behind" the request), and whether it writes.
const OPERATIONS = [
  undefined,
  { name: "ingot_get", store: STORE, parameters: 1, reply: "behind" },
  { name: "ingot_exists", store: STORE, parameters: 1 },
  { name: "ingot_set", store: STORE, parameters: 3, writes: true },
  { name: "ingot_cas", store: STORE, parameters: 2, writes: true },
  { name: "ingot_delete", store: STORE, parameters: 2, writes: true },
  { name: "ingot_increment", store: STORE, parameters: 1, writes: true },
  { name: "ingot_expire", store: STORE, parameters: 1, writes: true },
  { name: "ingot_get_many", store: STORE, parameters: "size", reply: "behind" },
  { name: "ingot_set_many", store: STORE, parameters: "size", reply: "behind", writes: true },
  { name: "ingot_batch", store: STORE, parameters: "size", reply: "behind", writes: true },
  { name: "ingot_list", store: STORE, parameters: 4, reply: "behind" },
  { name: "ingot_clear", store: STORE, parameters: 1, writes: true },
  { name: "ingot_watch", store: STORE, parameters: 3 },
  { name: "ingot_poll", store: false, parameters: 2, reply: "start" },
  { name: "ingot_unwatch", store: false, parameters: 1 },
  { name: "ingot_stats", store: STORE, parameters: 0, reply: "start" },
];

const encoder = new TextEncoder();

/**
 * Relay answers the operations of mcp.wasm from the engine of a store. Requests and
 * replies are those of engine.wasm, so it copies them from the one memory into the
 * other.
 */
export class Relay {
  #engine;
  #handle;
  #changed;
  #waiting;
  #durable;
  #registers;
  #wrote = false;
  #waker;
  #watchers = new Set();

  /** inner is what inside() of store.js gives; wake is called when the store has changed and somebody watches. */
  constructor(inner, wake) {
    this.#engine = inner.engine;
    this.#handle = inner.handle;
    this.#changed = inner.changed;
    this.#waiting = inner.waiting;
    this.#durable = inner.durable;
    this.#registers = this.#engine.call("ingot_registers") >>> 0;
    this.#waker = { wake };
  }

  /** now is the store's time in Unix milliseconds. */
  now() {
    return this.#engine.state === OPEN ? this.#engine.now() : Date.now();
  }

  /** call runs a request and returns the reply. It never throws: that would end the module. */
  call(request) {
    const engine = this.#engine;
    try {
      if (engine.state !== OPEN) engine.refuse();
      return this.#run(request);
    } catch (error) {
      return failed(error.code === "ERR_CLOSED" ? CODE_CLOSED : CODE_INTERNAL, encoder.encode(error.message));
    }
  }

  #run(request) {
    const engine = this.#engine;
    const head = new DataView(request.buffer, request.byteOffset);
    const number = head.getUint32(0, true);
    const operation = OPERATIONS[number];
    const body = request.subarray(REQUEST_HEAD);
    engine.reserve(body.length);
    engine.u8.set(body, engine.area);
    engine.u8.set(request.subarray(4, 4 + REGISTERS_BYTES), this.#registers);
    const given = operation.parameters === "size" ? [body.length] : [0, 1, 2, 3].slice(0, operation.parameters).map((i) => head.getUint32(20 + 4 * i, true));
    if (operation.store) given.unshift(this.#handle);
    const result = engine.call(operation.name, ...given);
    if (result < 0 && result !== ABSENT) return this.#failure(result);
    const reply = this.#reply(operation, body.length, result);
    this.#follow(operation.name, result, given);
    if (operation.writes) {
      this.#wrote = true;
      this.#changed();
    } else {
      engine.trim();
    }
    return reply;
  }

  #reply({ reply }, bodyBytes, result) {
    const engine = this.#engine;
    const size = reply !== undefined && result > 0 ? result : 0;
    const out = new Uint8Array(REPLY_HEAD + size);
    new DataView(out.buffer).setInt32(0, result, true);
    out.set(engine.u8.subarray(this.#registers, this.#registers + REGISTERS_BYTES), 4);
    if (size > 0) {
      const at = engine.replyAt(reply === "behind" ? bodyBytes : 0, size);
      out.set(engine.u8.subarray(at, at + size), REPLY_HEAD);
    }
    return out;
  }

  #failure(result) {
    const engine = this.#engine;
    const registers = engine.u8.slice(this.#registers, this.#registers + REGISTERS_BYTES);
    const out = failed(result, encoder.encode(engine.failure(result).message));
    out.set(registers, 4); // of a conflict: the version found and the index
    engine.trim();
    return out;
  }

  // Writes wake this while somebody watches: others need not pay for it.
  #follow(name, result, given) {
    if (name === "ingot_watch") this.#watchers.add(result);
    else if (name === "ingot_unwatch") this.#watchers.delete(given[0]);
    else return;
    if (this.#watchers.size > 0) this.#waiting.add(this.#waker);
    else this.#waiting.delete(this.#waker);
  }

  /**
   * written is a promise of when the writes since it was asked for last are durable;
   * undefined when there are none, or nobody is promised that they are.
   */
  written() {
    const waits = this.#wrote && this.#durable !== null && this.#durable.acknowledges;
    this.#wrote = false;
    return waits ? this.#durable.flush() : undefined;
  }

  /** close lets the store go. */
  close() {
    this.#waiting.delete(this.#waker);
    for (const watcher of this.#watchers) if (this.#engine.state === OPEN) this.#engine.call("ingot_unwatch", watcher);
    this.#watchers.clear();
  }
}

function failed(code, text) {
  const out = new Uint8Array(REPLY_HEAD + text.length);
  new DataView(out.buffer).setInt32(0, code, true);
  out.set(text, REPLY_HEAD);
  return out;
}
