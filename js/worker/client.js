import { IngotError, typeError } from "../errors.js";
import { loadModule } from "../load.js";
import { refuseUnknown } from "../options.js";
import { chunksOf, joined } from "../stream.js";
import { startWorker } from "./start.js";
import { errorOf } from "./wire.js";

const OPEN_OPTIONS = new Set(["name", "persist", "dir", "sync", "syncInterval", "wasm", "maxBytes", "maxValueBytes", "evict"]);
const WALK_OPTIONS = new Set(["keyType"]);
// Calls of one message; more go with the next. And calls that wait for an answer.
const CALLS_MAX = 1024;
const WAITING_MAX = 1 << 20;
// The most that a value may have to travel in a block with others, and a block at first.
const PACKED_BYTES_MAX = 4096;
const BLOCK_BYTES = 16 << 10;
// Calls that have a message of their own: others must not wait for what they wait for.
const ALONE = new Set(["close", "watchNext"]);
const KEYS_PAGE = 10_000;
const ENTRIES_PAGE = 1000;

/**
 * openWorker opens a store in a worker of its own; index.d.ts describes it. engine, where
 * there is one, gives the compiled engine that the worker could not find itself.
 */
export async function openWorker(options = {}, engine = undefined) {
  refuseUnknown(options, OPEN_OPTIONS, "openWorker");
  const { wasm, ...others } = options;
  if (wasm !== undefined) others.wasm = await loadModule(wasm);
  else if (engine !== undefined) others.wasm = await engine();
  const worker = startWorker();
  const line = new Line(worker);
  try {
    await line.call("open", [others]);
  } catch (error) {
    worker.end();
    throw error;
  }
  return new WorkerStore(line, others.name ?? "ingot");
}

/** Line sends calls to a worker, many in a message, and hands out the answers. */
class Line {
  #worker;
  #next = 0; // the id of the next call
  #waiting = new Map(); // by id: { resolve, reject }
  #calls = []; // of the message that is being made
  #first = 0; // the id of its first call
  #scheduled = false;
  #block = new Uint8Array(BLOCK_BYTES); // the values of the run of sets that is being made
  #used = 0;
  #ended = null; // the error of all calls once the worker is gone

  constructor(worker) {
    this.#worker = worker;
    worker.listen((answer) => this.#answered(answer), (error) => this.end(error));
  }

  call(method, args) {
    return new Promise((resolve, reject) => {
      if (!this.#admit(reject)) return;
      if (ALONE.has(method)) this.#send();
      this.#add([method, ...args]);
      this.#wait({ resolve, reject });
      if (ALONE.has(method)) this.#send();
    });
  }

  // Neighbouring gets become one call.
  get(key) {
    return new Promise((resolve, reject) => {
      if (!this.#admit(reject)) return;
      const last = this.#calls.at(-1);
      if (last !== undefined && last[0] === "gets" && last[1].length < CALLS_MAX) last[1].push(key);
      else this.#add(["gets", [key]]);
      this.#wait({ resolve, reject });
    });
  }

  // Neighbouring sets of few bytes become one call, with the bytes in one block: an array
  // of its own for each costs the threads more than the set.
  set(key, bytes) {
    return new Promise((resolve, reject) => {
      if (!this.#admit(reject)) return;
      let last = this.#calls.at(-1);
      if (last?.[0] !== "sets" || last[1].length === CALLS_MAX) {
        last = ["sets", [], [], this.#block];
        this.#add(last);
        this.#used = 0;
      }
      if (this.#used + bytes.length > this.#block.length) this.#growBlock(last, bytes.length);
      this.#block.set(bytes, this.#used);
      this.#used += bytes.length;
      last[1].push(key);
      last[2].push(bytes.length);
      this.#wait({ resolve, reject });
    });
  }

  #growBlock(call, more) {
    const longer = new Uint8Array(2 * (this.#used + more));
    longer.set(this.#block.subarray(0, this.#used));
    call[3] = this.#block = longer;
  }

  #admit(reject) {
    if (this.#ended === null && this.#waiting.size < WAITING_MAX) return true;
    reject(this.#ended ?? new IngotError("ERR_BUSY", `${WAITING_MAX} calls wait for the worker: await some of them`));
    return false;
  }

  #add(call) {
    this.#endSets();
    if (this.#calls.length === CALLS_MAX) this.#send();
    if (this.#calls.length === 0) this.#first = this.#next;
    this.#calls.push(call);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #wait(promise) {
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(this.#next++, promise);
  }

  // endSets gives the run of sets that is being made its bytes.
  #endSets() {
    const last = this.#calls.at(-1);
    if (last?.[0] === "sets" && last[3] === this.#block) last[3] = this.#block.slice(0, this.#used);
  }

  #send() {
    this.#endSets();
    const calls = this.#calls;
    this.#calls = [];
    if (calls.length === 0) return;
    try {
      this.#worker.post({ id: this.#first, calls });
    } catch {
      this.#sendSingly(this.#first, calls);
    }
  }

  // One argument that cannot be cloned must not cost the others their calls.
  #sendSingly(first, calls) {
    const singles = calls.flatMap(singly);
    for (const [i, call] of singles.entries()) {
      try {
        this.#worker.post({ id: first + i, calls: [call] });
      } catch (cause) {
        this.#settle(first + i, "reject", new IngotError("ERR_TYPE", `an argument cannot be sent to the worker: ${cause.message}`, { cause }));
      }
    }
  }

  #settle(id, how, what) {
    const promise = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    promise?.[how](what);
  }

  #answered({ id, results, failures }) {
    const failed = new Map(failures);
    for (const [place, result] of results.entries()) {
      if (result?.versions !== undefined) id = this.#sets(id, result, failed.get(place));
      else if (result?.asked !== undefined) id = this.#gets(id, result);
      else if (failed.has(place)) this.#settle(id++, "reject", errorOf(failed.get(place)));
      else this.#settle(id++, "resolve", result);
    }
  }

  #gets(id, { asked, sizes, bytes, failures }) {
    const failed = new Map(failures);
    let at = 0;
    for (let i = 0; i < asked; i++) {
      if (failed.has(i)) this.#settle(id + i, "reject", errorOf(failed.get(i)));
      else if (sizes[i] < 0) this.#settle(id + i, "resolve", undefined);
      else this.#settle(id + i, "resolve", bytes.slice(at, (at += sizes[i])));
    }
    return id + asked;
  }

  #sets(id, { asked, versions, failures }, failure) {
    const failed = new Map(failures);
    for (let i = 0; i < asked; i++) {
      const what = failed.get(i) ?? failure;
      if (what !== undefined) this.#settle(id + i, "reject", errorOf(what));
      else this.#settle(id + i, "resolve", versions[i]);
    }
    return id + asked;
  }

  /** end fails all calls: those that wait, and those to come. */
  end(error) {
    this.#ended ??= error;
    this.#calls = [];
    for (const id of [...this.#waiting.keys()]) this.#settle(id, "reject", this.#ended);
    this.#worker.end();
  }
}

/** WorkerStore is a store that another thread has. openWorker makes one. */
export class WorkerStore {
  #line;
  #name;
  #watches = 0;
  #closing = null;

  /** @internal */
  constructor(line, name) {
    this.#line = line;
    this.#name = name;
  }

  get name() {
    return this.#name;
  }

  get(key) {
    if (typeof key === "string") return this.#line.get(key);
    return this.#line.get(own(key));
  }

  getEntry(key) {
    return this.#line.call("getEntry", [own(key)]);
  }

  getString(key) {
    return this.#line.call("getString", [own(key)]);
  }

  getJSON(key) {
    return this.#line.call("getJSON", [own(key)]);
  }

  has(key) {
    return this.#line.call("has", [own(key)]);
  }

  async getMany(keys) {
    return this.#line.call("getMany", [[...keys].map(own)]);
  }

  set(key, value, options) {
    if (options === undefined && typeof key === "string" && value instanceof Uint8Array && value.length > 0 && value.length <= PACKED_BYTES_MAX) return this.#line.set(key, value);
    return this.#line.call("set", options === undefined ? [own(key), own(value)] : [own(key), own(value), own(options)]);
  }

  async setJSON(key, value, options) {
    const text = JSON.stringify(value);
    if (text === undefined) throw typeError("a value of setJSON", "something that JSON can express", value);
    return this.set(key, text, options);
  }

  async setMany(entries) {
    return this.#line.call("setMany", [[...entries].map(own)]);
  }

  delete(key, options) {
    return this.#line.call("delete", options === undefined ? [own(key)] : [own(key), own(options)]);
  }

  async deleteMany(keys) {
    return this.#line.call("deleteMany", [[...keys].map(own)]);
  }

  cas(key, version, value) {
    return this.#line.call("cas", [own(key), version, own(value)]);
  }

  increment(key, delta) {
    return this.#line.call("increment", delta === undefined ? [own(key)] : [own(key), delta]);
  }

  expire(key, ttl) {
    return this.#line.call("expire", [own(key), ttl]);
  }

  async batch(operations) {
    return this.#line.call("batch", [[...operations].map(own)]);
  }

  clear(prefix = "") {
    return this.#line.call("clear", [own(prefix)]);
  }

  list(options = {}) {
    return this.#line.call("list", [own(options)]);
  }

  async *keys(prefix = "", options = {}) {
    refuseUnknown(options, WALK_OPTIONS, "keys");
    for await (const entry of this.#walk(prefix, { ...options, limit: KEYS_PAGE })) yield entry.key;
  }

  async *entries(prefix = "", options = {}) {
    refuseUnknown(options, WALK_OPTIONS, "entries");
    for await (const entry of this.#walk(prefix, { ...options, limit: ENTRIES_PAGE, values: true })) yield [entry.key, entry.value];
  }

  async *#walk(prefix, options) {
    for (let after = ""; after !== undefined; ) {
      const page = await this.list({ ...options, prefix, after });
      yield* page.entries;
      after = page.next;
    }
  }

  watch(options = {}) {
    return new WorkerWatcher(this.#line, this.#watches++, typeof options === "string" ? { prefix: options } : own(options));
  }

  setBudget(prefix, bytesMax) {
    return this.#line.call("setBudget", [own(prefix), bytesMax]);
  }

  stats() {
    return this.#line.call("stats", []);
  }

  logStats() {
    return this.#line.call("logStats", []);
  }

  tick(max = 0) {
    return this.#line.call("tick", [max]);
  }

  flush() {
    return this.#line.call("flush", []);
  }

  compact() {
    return this.#line.call("compact", []);
  }

  snapshot() {
    return this.#line.call("snapshot", []);
  }

  restore(source) {
    if (source instanceof Uint8Array) return this.#line.call("restore", [own(source)]);
    return this.#restoreChunks(source);
  }

  async #restoreChunks(source) {
    const chunks = [];
    for await (const chunk of chunksOf(source)) {
      if (!(chunk instanceof Uint8Array)) throw typeError("a chunk of a snapshot", "a Uint8Array", chunk);
      chunks.push(chunk);
    }
    return this.#line.call("restore", [joined(chunks)]);
  }

  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    try {
      await this.#line.call("close", []);
    } catch (error) {
      if (error.code !== "ERR_WORKER" && error.code !== "ERR_CLOSED") throw error; // it is gone
    } finally {
      this.#line.end(new IngotError("ERR_CLOSED", "the store is closed"));
    }
  }
}

/** WorkerWatcher hands out the changes under a prefix of a store in a worker. */
export class WorkerWatcher {
  #line;
  #id;
  #ready; // settles when the store watches
  #closed = false;

  /** @internal */
  constructor(line, id, options) {
    this.#line = line;
    this.#id = id;
    this.#ready = line.call("watch", [id, options]);
    this.#ready.catch(() => {}); // the iterator tells
  }

  /** ready resolves when later changes are heard. */
  async ready() {
    await this.#ready;
  }

  async close() {
    if (this.#closed) return;
    this.#closed = true;
    await this.#line.call("unwatch", [this.#id]).catch(() => {}); // closed with its store
  }

  async *[Symbol.asyncIterator]() {
    try {
      await this.#ready;
      while (!this.#closed) {
        const events = await this.#next();
        if (events.length === 0) return;
        yield* events;
      }
    } finally {
      await this.close();
    }
  }

  async #next() {
    try {
      return await this.#line.call("watchNext", [this.#id]);
    } catch (error) {
      if (error.code === "ERR_CLOSED") return [];
      throw error;
    }
  }
}

// singly is a call as calls of one id each.
function singly(call) {
  const [method, keys, sizes, bytes] = call;
  if (method === "gets") return keys.map((key) => ["gets", [key]]);
  if (method !== "sets") return [call];
  let at = 0;
  return keys.map((key, i) => ["set", key, bytes.slice(at, (at += sizes[i]))]);
}

// own is an argument as it is now: it is sent later. Of bytes only those in view go,
// and a detached array as it is, which fails when it is sent.
function own(value) {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.buffer.byteLength === 0 ? value : value.slice();
  if (Array.isArray(value)) return value.map(own);
  const copy = {};
  for (const name in value) copy[name] = own(value[name]);
  return copy;
}
