import { IngotError } from "../errors.js";
import { Wasi } from "../wasi.js";
import { Gate } from "./gate.js";
import { Relay } from "./state.js";

/** The version of the exports that this package speaks; see docs/ABI.md. */
const ABI_VERSION = 1;

const EXPORTS = ["_initialize", "abi", "changed", "close", "connect", "end", "error", "receive", "refuse", "run", "scratch", "start", "writable"].map((name) =>
  name.startsWith("_") ? name : `mcp_${name}`);

const AREA_BYTES_KEPT = 1 << 20;
const TIMER_MAX = 0x7fffffff; // what setTimeout takes
const LEVELS = ["debug", "info", "warn", "error"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Core is one instance of mcp.wasm, which serves one store: its connections by their
 * numbers, and the pump that runs it whenever there is something to do.
 */
export class Core {
  #x = null;
  #memory = null;
  #u8 = null;
  #wasi;
  #gate = new Gate();
  #relay;
  #connections = new Map(); // by number: { take, served, flush, ended, failed }
  #onLog;
  #reply = null; // one that did not fit
  #storeChanged = false;
  #scheduled = false;
  #inside = false;
  #again = false;
  #timer;
  #areaBytes = 0;
  /** Why the instance takes no more calls: null while it does. */
  failure = null;

  /** start makes an instance for the store that inner is the inside of. */
  static async start(module, inner, options, onLog) {
    const core = new Core();
    core.#onLog = onLog;
    core.#relay = new Relay(inner, () => core.#wake());
    core.#wasi = new Wasi(() => core.#relay.now(), core.#gate);
    let instance;
    try {
      instance = await WebAssembly.instantiate(module, core.#wasi.imports(module, { ingot_mcp: core.#imports() }));
    } catch (cause) {
      if (cause instanceof IngotError) throw cause;
      throw new IngotError("ERR_WASM", `the MCP core cannot be instantiated: ${cause.message}`, { cause });
    }
    core.#attach(instance.exports);
    const { address, bytes } = core.#place(encoder.encode(JSON.stringify(options)));
    core.u8.set(bytes, address);
    if (core.#call("mcp_start", bytes.length) < 0) throw new IngotError("ERR_OPTIONS", core.#errorText());
    return core;
  }

  #attach(exports) {
    const { mcp_abi: abi, memory } = exports;
    if (typeof abi !== "function" || !(memory instanceof WebAssembly.Memory)) {
      throw new IngotError("ERR_ABI", "the wasm file is not ingot's MCP core: it has no export mcp_abi");
    }
    this.#x = exports;
    this.#memory = memory;
    this.#wasi.bind(memory);
    if (typeof exports._initialize === "function") this.#call("_initialize");
    const version = this.#call("mcp_abi");
    if (version !== ABI_VERSION) {
      throw new IngotError("ERR_ABI", `the MCP core has ABI version ${version} and this package speaks ${ABI_VERSION}: use the mcp.wasm that came with it`);
    }
    const missing = EXPORTS.filter((name) => typeof exports[name] !== "function");
    if (missing.length > 0) throw new IngotError("ERR_ABI", `the MCP core lacks exports: ${missing.join(", ")}`);
  }

  get u8() {
    if (this.#u8 === null || this.#u8.length === 0) this.#u8 = new Uint8Array(this.#memory.buffer);
    return this.#u8;
  }

  // What the module asks of this side. Nothing here may call it back: what needs
  // that is noted, and done when mcp_run has returned.
  #imports() {
    return {
      state: (request, requestBytes, out, room) => {
        const reply = this.#relay.call(this.u8.subarray(request >>> 0, (request >>> 0) + requestBytes));
        if (reply.length > room) this.#reply = reply;
        else this.u8.set(reply, out >>> 0);
        return reply.length;
      },
      reply: (out) => {
        this.u8.set(this.#reply, out >>> 0);
        this.#reply = null;
      },
      send: (number, frame, size) => (this.#connections.get(number).take(this.u8.slice(frame >>> 0, (frame >>> 0) + size)) ? 0 : 1),
      served: (number) => this.#connections.get(number).served(),
      ended: (number) => this.#connections.get(number).over(),
      log: (level, text, size) => {
        const line = { level: LEVELS[level], text: decoder.decode(this.u8.subarray(text >>> 0, (text >>> 0) + size)) };
        if (this.#onLog !== undefined) queueMicrotask(() => this.#onLog(line));
      },
    };
  }

  #call(name, a, b) {
    if (this.failure !== null) throw this.failure;
    try {
      return this.#x[name](a, b);
    } catch (cause) {
      throw this.#poisoned(cause);
    }
  }

  #poisoned(cause) {
    const log = this.#wasi.log.split("\n", 1)[0];
    const reason = log === "" ? cause.message : `${cause.message}: ${log}`;
    this.#stop(new IngotError("ERR_POISONED", `the MCP core trapped and cannot be used any more: ${reason}`, { cause }));
    return this.failure;
  }

  #stop(failure) {
    this.failure = failure;
    clearTimeout(this.#timer);
    this.#relay.close();
    this.#x = this.#memory = this.#u8 = null;
    const left = [...this.#connections.values()];
    this.#connections.clear();
    for (const connection of left) connection.failed(failure);
  }

  /** close ends the instance; its connections are over. */
  close() {
    if (this.failure === null) this.#stop(new IngotError("ERR_CLOSED", "the server is closed"));
  }

  #place(bytes) {
    this.#areaBytes = Math.max(this.#areaBytes, bytes.length);
    return { address: this.#call("mcp_scratch", bytes.length) >>> 0, bytes };
  }

  #errorText() {
    const address = this.#call("mcp_scratch", 0) >>> 0;
    const size = this.#call("mcp_error");
    return decoder.decode(this.u8.subarray(address, address + size));
  }

  #checked(name, a, b) {
    const result = this.#call(name, a, b);
    if (result < 0) throw new IngotError("ERR_INTERNAL", this.#errorText());
    return result;
  }

  // What connections call.

  /** connect begins a connection, which is told what comes of it. */
  connect(connection) {
    const number = this.#checked("mcp_connect");
    this.#connections.set(number, connection);
    return number;
  }

  /** receive hands a frame over, as bytes. */
  receive(number, frame) {
    this.#attempt(() => {
      const { address } = this.#place(frame);
      this.u8.set(frame, address);
      this.#checked("mcp_receive", number, frame.length);
      this.#schedule();
    });
  }

  /** refuse has a frame answered that is too long. */
  refuse(number) {
    this.#tell("mcp_refuse", number);
  }

  /** end says that no more frames come. */
  end(number) {
    this.#tell("mcp_end", number);
  }

  /** drop cancels what a connection does. */
  drop(number) {
    this.#tell("mcp_close", number);
  }

  /** writable says that a connection takes frames again. */
  writable(number) {
    this.#tell("mcp_writable", number);
  }

  #tell(name, number) {
    if (!this.#connections.has(number)) return; // it is over
    this.#attempt(() => {
      this.#checked(name, number);
      this.#schedule();
    });
  }

  // attempt keeps a trap from whoever happens to deliver a frame, such as a listener of
  // process.stdin, where it would end the process: the connections have been told.
  #attempt(act) {
    try {
      act();
    } catch (error) {
      if (error !== this.failure) throw error;
    }
  }

  /** forget frees a connection's number. */
  forget(number) {
    this.#connections.delete(number);
  }

  // The pump.

  #wake() {
    this.#storeChanged = true;
    this.#schedule();
  }

  // Frames that come in one turn are served by one run.
  #schedule() {
    if (this.#inside) this.#again = true;
    else if (!this.#scheduled && this.failure === null) {
      this.#scheduled = true;
      queueMicrotask(() => this.#pump());
    }
  }

  #pump() {
    this.#scheduled = false;
    if (this.failure !== null || this.#inside) return;
    clearTimeout(this.#timer);
    try {
      do {
        this.#again = false;
        this.#run();
        const durable = this.#relay.written();
        durable?.catch(() => {}); // where no answer waits for it, the next write tells
        for (const connection of [...this.#connections.values()]) connection.flush(durable);
      } while (this.#again && this.failure === null);
      if (this.#areaBytes > AREA_BYTES_KEPT && this.failure === null) {
        this.#areaBytes = 0;
        this.#call("mcp_scratch", 0);
      }
    } catch (error) {
      if (error !== this.failure) this.#poisoned(error);
    }
    if (this.failure !== null) return;
    if (this.#gate.wait !== Infinity) this.#timer = setTimeout(() => this.#pump(), Math.min(Math.ceil(this.#gate.wait), TIMER_MAX));
  }

  #run() {
    this.#inside = true;
    try {
      if (this.#storeChanged) {
        this.#storeChanged = false;
        this.#call("mcp_changed");
      }
      this.#checked("mcp_run");
    } finally {
      this.#inside = false;
    }
  }
}
