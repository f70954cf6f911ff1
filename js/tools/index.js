// Tools in WebAssembly, run where JavaScript runs: the host's side of the native
// ABI of docs/ABI.md, with the policy of internal/sandbox as far as a page can
// hold it.

import { ToolError, clip, typeError } from "./errors.js";
import { ingotImports } from "./imports.js";
import { FUEL_EXPORT, REFUSED_EXPORT, instrument } from "./meter.js";
import { checkedPolicy } from "./policy.js";
import { Clock, Exit, Random, UNKNOWN, wasiImports } from "./wasi.js";

export { ToolError };

const FAILED_BIT = 0x80000000;
const DESCRIPTION_BYTES_MAX = 256 << 10;
const LINE_CHARS_MAX = 4096;
const IDLE_MAX = 4;
const NO_BYTES = new Uint8Array(0);
const DESCRIPTION_FIELDS = new Set(["name", "title", "description", "inputSchema", "outputSchema", "annotations"]);
const LEVELS = ["debug", "info", "warn", "error"];

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/**
 * loadTool compiles a module, asks it what it is, and returns the tool.
 *
 * @param {ArrayBuffer | Uint8Array | URL | string | Response} source
 */
export async function loadTool(source, { policy, store, onLog } = {}) {
  const held = checkedPolicy(policy);
  if (held.http.length > 0 && typeof WebAssembly.Suspending !== "function") {
    throw new ToolError("ERR_TOOL_UNSUPPORTED", "http is granted, and this JavaScript cannot suspend WebAssembly while it waits (JSPI): use a newer one, or serve the tool with wasm-host");
  }
  if (held.state.length > 0 && store === undefined) throw new ToolError("ERR_TOOL_OPTIONS", "state is granted, but there is no store: give loadTool one");
  const bytes = await bytesOf(source);
  if (bytes.length > held.limits.moduleBytes) throw new ToolError("ERR_TOOL_MODULE", `the file has ${bytes.length} bytes, at most ${held.limits.moduleBytes} are allowed: strip it, or raise limits.moduleBytes`);
  const { module, globals, resettable } = await compile(bytes, held.limits);
  const seed = held.seed === undefined ? undefined : new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(held.seed)));
  const tool = new Tool({ module, globals, resettable, policy: held, store, onLog, seed });
  await tool.start();
  return tool;
}

async function bytesOf(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (typeof Response !== "undefined" && source instanceof Response) return fetched(source);
  if (typeof source !== "string" && !(source instanceof URL)) throw typeError("a tool", "bytes, a URL or a Response", source);
  const url = new URL(source, globalThis.location?.href ?? import.meta.url);
  const fs = url.protocol === "file:" ? globalThis.process?.getBuiltinModule?.("node:fs") : undefined;
  try {
    return fs === undefined ? await fetched(await fetch(url)) : new Uint8Array(await fs.promises.readFile(url));
  } catch (cause) {
    if (cause instanceof ToolError) throw cause;
    throw new ToolError("ERR_TOOL_LOAD", `the tool cannot be read from ${url}: ${cause.message}`, { cause });
  }
}

async function fetched(response) {
  if (!response.ok) throw new ToolError("ERR_TOOL_LOAD", `the tool cannot be fetched from ${response.url}: the answer is ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function compile(bytes, limits) {
  try {
    const metered = instrument(bytes, limits);
    return { ...metered, module: await WebAssembly.compile(metered.bytes) };
  } catch (cause) {
    if (cause instanceof ToolError) throw cause;
    throw new ToolError("ERR_TOOL_MODULE", `it is not a module that can be run: ${clip(cause.message)}; build it again`, { cause });
  }
}

/** Tool is a loaded module. loadTool makes one. */
export class Tool {
  #parts;
  #snapshot = null;
  #idle = [];
  #closed = false;
  /** What the tool says about itself; the fields of a tool in MCP. */
  description;

  /** @internal */
  constructor(parts) {
    this.#parts = parts;
  }

  get name() {
    return this.description.name;
  }

  /** @internal start makes the first instance, keeps what it is after its start, and asks it what it is. */
  async start() {
    const host = this.#instance();
    if (this.#parts.resettable) this.#snapshot = host.snapshot();
    const call = this.#begin(host, {});
    const text = await this.#run(host, call, "describe", () => host.result("describe", host.exports.describe(), DESCRIPTION_BYTES_MAX));
    this.description = describedBy(text);
    this.#settle(host);
  }

  /**
   * call runs the tool once and returns its result, an object. The arguments are
   * not checked against the tool's schema.
   */
  async call(args = {}, { signal, onProgress } = {}) {
    if (this.#closed) throw new ToolError("ERR_TOOL_CLOSED", "the tool was closed: load it again");
    if (signal?.aborted) throw new ToolError("ERR_TOOL_CANCELED", "the caller gave up before the call began", { cause: signal.reason });
    const input = encodeArguments(args, this.#parts.policy.limits.inputBytes);
    const host = this.#idle.pop() ?? this.#instance();
    const call = this.#begin(host, { signal, onProgress });
    const object = await this.#run(host, call, "call", () => host.invoke(input));
    this.#settle(host);
    if (object instanceof ToolError) throw object;
    return { result: object, fuel: call.fuelBurned };
  }

  /** close refuses further calls and frees the idle instances. */
  close() {
    this.#closed = true;
    this.#idle = [];
  }

  #instance() {
    return new Host(this.#parts, this.#snapshot);
  }

  #begin(host, { signal, onProgress }) {
    const call = new Call(this.#parts, this.description?.name ?? "tool", signal, onProgress);
    host.call = call;
    host.fuel.value = BigInt(this.#parts.policy.limits.fuel);
    return call;
  }

  // run does act, in which the guest runs, and says why it did not come back.
  async #run(host, call, doing, act) {
    try {
      return await act();
    } catch (error) {
      throw host.explain(doing, error);
    } finally {
      call.fuelBurned = this.#parts.policy.limits.fuel - Number(host.fuel.value);
      call.log.flush();
    }
  }

  // settle gives an instance back, as it was after its start, if it can be.
  #settle(host) {
    if (this.#snapshot !== null && !this.#closed && this.#idle.length < IDLE_MAX && host.restore(this.#snapshot)) this.#idle.push(host);
  }
}

function encodeArguments(args, bytesMax) {
  if (typeof args !== "object" || args === null || Array.isArray(args)) throw typeError("the arguments", "an object", args);
  let text;
  try {
    text = JSON.stringify(args);
  } catch (cause) {
    throw new ToolError("ERR_TOOL_INPUT", `the arguments cannot be written as JSON: ${cause.message}`, { cause });
  }
  const input = encoder.encode(text);
  if (input.length > bytesMax) throw new ToolError("ERR_TOOL_INPUT", `the arguments have ${input.length} bytes, at most ${bytesMax} are allowed: send less, or raise limits.inputBytes`);
  return input;
}

function describedBy(d) {
  if (d instanceof ToolError) throw new ToolError("ERR_TOOL_ABI", `describe failed: ${d.message}`);
  const unknown = Object.keys(d).find((name) => !DESCRIPTION_FIELDS.has(name));
  if (unknown !== undefined) throw new ToolError("ERR_TOOL_ABI", `the description has a member ${JSON.stringify(clip(unknown, 64))}, which docs/ABI.md does not know`);
  if (typeof d.name !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(d.name)) throw new ToolError("ERR_TOOL_ABI", `the description's name must be 1 to 64 of A-Z a-z 0-9 _ -`);
  if (typeof d.description !== "string" || d.description.trim() === "") throw new ToolError("ERR_TOOL_ABI", `tool ${d.name} has no "description": say what it does, it is what a model chooses by`);
  if (d.inputSchema?.type !== "object") throw new ToolError("ERR_TOOL_ABI", `the inputSchema of tool ${d.name} must be a JSON object with "type": "object"`);
  return Object.freeze(d);
}

/** Host is one instance and the place where its imports find the call that runs. */
class Host {
  call = null;

  constructor({ module, globals, policy, store }, snapshot) {
    this.policy = policy;
    this.store = store;
    this.suspends = policy.http.length > 0;
    this.call = new Call({ policy, onLog: undefined, seed: undefined }, "tool");
    this.exports = this.#start(module);
    this.#checkExports();
    this.memory = this.exports.memory;
    this.fuel = this.exports[FUEL_EXPORT];
    this.refused = this.exports[REFUSED_EXPORT];
    this.globals = globals.map((name) => this.exports[name]);
    if (snapshot === null) this.#initialise();
    else this.#become(snapshot);
  }

  #start(module) {
    const imports = this.#imports(module);
    try {
      return new WebAssembly.Instance(module, imports).exports;
    } catch (cause) {
      if (cause instanceof ToolError) throw cause;
      const code = cause instanceof WebAssembly.LinkError ? "ERR_TOOL_ABI" : "ERR_TOOL_TRAP";
      throw new ToolError(code, `it cannot be started: ${clip(cause.message)}`, { cause });
    }
  }

  #imports(module) {
    const offered = { ingot: ingotImports(this), wasi_snapshot_preview1: wasiImports(this) };
    const imports = { ingot: offered.ingot, wasi_snapshot_preview1: {} };
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      const f = offered[from]?.[name];
      if (from === "wasi_snapshot_preview1" && kind === "function") imports[from][name] = f ?? UNKNOWN;
      else if (f === undefined || kind !== "function") throw new ToolError("ERR_TOOL_ABI", `it imports ${clip(from, 64)}.${clip(name, 64)}, which the host does not offer (docs/ABI.md lists what it does)`);
    }
    return imports;
  }

  #checkExports() {
    const kinds = { memory: WebAssembly.Memory, alloc: Function, describe: Function, call: Function };
    const missing = Object.keys(kinds).filter((name) => !(this.exports[name] instanceof kinds[name]));
    if (missing.length > 0) throw new ToolError("ERR_TOOL_ABI", `it does not export ${missing.join(", ")}: a tool exports all of memory, alloc, describe and call (docs/ABI.md)`);
  }

  #initialise() {
    this.fuel.value = BigInt(this.policy.limits.fuel);
    try {
      this.exports._initialize?.();
    } catch (error) {
      throw this.explain("_initialize", error);
    }
  }

  snapshot() {
    return { memory: new Uint8Array(this.memory.buffer).slice(), globals: this.globals.map((g) => g.value) };
  }

  #become(snapshot) {
    const pages = (snapshot.memory.length - this.memory.buffer.byteLength) / 65536;
    if (pages > 0) this.memory.grow(pages);
    this.restore(snapshot);
  }

  /** restore puts memory and globals back; false when memory has grown, since it cannot shrink. */
  restore(snapshot) {
    if (this.memory.buffer.byteLength !== snapshot.memory.length) return false;
    new Uint8Array(this.memory.buffer).set(snapshot.memory);
    for (const [i, value] of snapshot.globals.entries()) this.globals[i].value = value;
    this.refused.value = 0;
    this.call = null;
    return true;
  }

  async invoke(input) {
    const at = this.exports.alloc(input.length) >>> 0;
    if (at === 0) throw new ToolError("ERR_TOOL_MEMORY", `alloc(${input.length}) returned 0: the guest has no room for the arguments; raise limits.memoryBytes`);
    if (at + input.length > this.memory.buffer.byteLength) throw new ToolError("ERR_TOOL_ABI", `alloc(${input.length}) returned pointer ${at}, but the guest's memory ends at ${this.memory.buffer.byteLength}`);
    new Uint8Array(this.memory.buffer).set(input, at);
    const run = this.suspends ? WebAssembly.promising(this.exports.call) : this.exports.call;
    return this.result("call", await run(at, input.length), this.policy.limits.outputBytes);
  }

  /** result reads what the guest returned: an object, or as a ToolError the failure that it reports. */
  result(name, packed, bytesMax) {
    if (typeof packed !== "bigint") throw new ToolError("ERR_TOOL_ABI", `${name} must return an i64 (docs/ABI.md)`);
    const ptr = Number(BigInt.asUintN(32, packed >> 32n));
    const low = Number(BigInt.asUintN(32, packed));
    const size = low & ~FAILED_BIT;
    if (size > bytesMax) throw new ToolError("ERR_TOOL_OUTPUT", `${name} returned ${size} bytes, at most ${bytesMax} are allowed: return less, or raise limits.outputBytes`);
    if (ptr + size > this.memory.buffer.byteLength) throw new ToolError("ERR_TOOL_ABI", `${name} returned pointer ${ptr} and length ${size}, but the guest's memory ends at ${this.memory.buffer.byteLength}`);
    const object = parsed(name, new Uint8Array(this.memory.buffer, ptr, size));
    if (low < FAILED_BIT) return object;
    if (typeof object.message !== "string" || object.message === "") throw new ToolError("ERR_TOOL_ABI", `the error object has no "message": say what failed`);
    return new ToolError("ERR_TOOL_FAILED", clip(object.message, 4096), { guestCode: typeof object.code === "string" ? clip(object.code, 64) : undefined });
  }

  /** explain says why a guest did not come back. */
  explain(doing, error) {
    if (error instanceof ToolError) return error;
    if (this.fuel.value < 0n) return new ToolError("ERR_TOOL_FUEL", `still running in ${doing} when its fuel of ${this.policy.limits.fuel} was burned; look for a loop that does not end, or raise limits.fuel`, { cause: error });
    if (error instanceof Exit) return new ToolError("ERR_TOOL_EXIT", `it ended itself in ${doing} with exit code ${error.status}; a tool returns an error object instead (docs/ABI.md)`, { cause: error });
    if (this.refused.value !== 0) return new ToolError("ERR_TOOL_MEMORY", `it failed in ${doing} when it was refused memory beyond its ${this.policy.limits.memoryBytes} bytes; raise limits.memoryBytes`, { cause: error });
    return new ToolError("ERR_TOOL_TRAP", `in ${doing}: ${clip(error.message)}`, { cause: error });
  }
}

function parsed(name, view) {
  let object;
  try {
    object = JSON.parse(strictDecoder.decode(view));
  } catch (cause) {
    throw new ToolError("ERR_TOOL_ABI", `${name} returned ${view.length} bytes that are not JSON (${clip(cause.message, 200)}): return one UTF-8 JSON object`, { cause });
  }
  if (typeof object !== "object" || object === null || Array.isArray(object)) throw new ToolError("ERR_TOOL_ABI", `${name} returned JSON that is not an object (docs/ABI.md)`);
  return object;
}

/** Call is what belongs to one use of an instance. */
class Call {
  reply = NO_BYTES;
  requests = 0;
  fuelBurned = 0;
  #used = new Map();
  #onProgress;

  constructor({ policy, onLog, seed }, name, signal, onProgress) {
    this.clock = new Clock(policy.clock);
    this.random = new Random(seed);
    this.log = new CallLog(policy.limits, name, onLog);
    this.signal = signal ?? new AbortController().signal;
    this.#onProgress = onProgress;
  }

  /** use is how much of a grant this call has used. */
  use(grant) {
    let used = this.#used.get(grant);
    if (used === undefined) this.#used.set(grant, (used = { ops: 0, bytes: 0 }));
    return used;
  }

  progress(done, total, message) {
    this.#onProgress?.({ progress: done, total: total > 0 ? total : undefined, message: clip(message) });
  }
}

/** CallLog passes on what one call logs, up to its limits. */
class CallLog {
  #limits;
  #name;
  #onLog;
  #lines = 0;
  #bytes = 0;
  #decoders = new Map();
  #partial = new Map();

  constructor(limits, name, onLog = () => {}) {
    this.#limits = limits;
    this.#name = name;
    this.#onLog = onLog;
  }

  line(level, text) {
    if (this.#lines > this.#limits.logLines || this.#bytes > this.#limits.logBytes) return;
    this.#lines++;
    this.#bytes += encoder.encode(text).length;
    const full = this.#lines > this.#limits.logLines || this.#bytes > this.#limits.logBytes;
    const said = full ? `more than ${this.#limits.logLines} lines or ${this.#limits.logBytes} bytes were logged: the rest of this call is dropped` : clip(text, LINE_CHARS_MAX);
    this.#onLog({ tool: this.#name, level: full ? "warn" : LEVELS[Math.min(Math.max(level, 0), 3)], text: said });
  }

  /** stream takes bytes of standard output (1) or error (2), and logs whole lines. */
  stream(fd, bytes) {
    if (!this.#decoders.has(fd)) this.#decoders.set(fd, new TextDecoder());
    const lines = ((this.#partial.get(fd) ?? "") + this.#decoders.get(fd).decode(bytes, { stream: true })).split("\n");
    this.#partial.set(fd, lines.pop().slice(0, LINE_CHARS_MAX));
    for (const text of lines) this.line(fd, text);
  }

  flush() {
    for (const [fd, text] of this.#partial) if (text !== "") this.line(fd, text);
    this.#partial.clear();
  }
}
