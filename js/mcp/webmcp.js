import { IngotError, typeError } from "../errors.js";
import { flag, refuseUnknown } from "../options.js";
import { Channel } from "./transports.js";

const OPTIONS = new Set(["prefix", "readOnly", "signal", "wasm", "onLog"]);
const VERSION = "2026-07-28"; // stateless: each request stands for itself
const META = { "io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {} };

const decoder = new TextDecoder();

/** webMCP is registerWebMCP for a given serve, which lies above this module. */
export async function webMCP(serve, store, options) {
  refuseUnknown(options, OPTIONS, "registerWebMCP");
  const { signal, prefix, readOnly, wasm, onLog } = options;
  flag("readOnly", readOnly);
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw typeError("signal", "an AbortSignal", signal);
  signal?.throwIfAborted();
  const context = globalThis.document?.modelContext;
  if (typeof context?.registerTool !== "function") return undefined;
  const server = await serve(store, undefined, given({ prefix, readOnly, wasm, onLog }));
  const ended = new AbortController();
  const close = () => {
    ended.abort();
    signal?.removeEventListener("abort", close);
    return server.close();
  };
  try {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", close);
    const caller = new Caller();
    await server.connect(caller);
    const { tools } = await caller.request("tools/list", {});
    for (const tool of tools) {
      ended.signal.throwIfAborted();
      await context.registerTool(described(tool, caller), { signal: ended.signal });
    }
    return { tools: tools.map(({ name }) => name), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function given(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function described({ name, title, description, inputSchema, annotations }, caller) {
  const execute = async (input) => {
    const { content, structuredContent, isError } = await caller.request("tools/call", { name, arguments: input ?? {} });
    return { content, structuredContent, isError };
  };
  return { name, title, description, inputSchema, annotations, execute };
}

// Caller is a client of the server in the same page: requests as promises.
class Caller extends Channel {
  #sink;
  #next = 1;
  #pending = new Map(); // by id: { resolve, reject }

  start(sink) {
    this.#sink = sink;
  }

  request(method, params) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#sink.frame({ jsonrpc: "2.0", id, method, params: { ...params, _meta: META } });
    });
  }

  send(frames) {
    for (const frame of frames) {
      const { id, result, error } = JSON.parse(decoder.decode(frame));
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new IngotError("ERR_INTERNAL", error.message));
    }
  }

  close() {
    for (const { reject } of this.#pending.values()) reject(new IngotError("ERR_CLOSED", "the tools were unregistered"));
    this.#pending.clear();
  }
}
