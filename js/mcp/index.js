import { OPEN } from "../engine.js";
import { IngotError, typeError } from "../errors.js";
import { loadModule } from "../load.js";
import { flag, refuseUnknown, wholeNumber } from "../options.js";
import { Store, inside } from "../store.js";
import { Connection } from "./connection.js";
import { Core } from "./core.js";
import { channelOf } from "./transports.js";
import { webMCP } from "./webmcp.js";

export { Channel, inMemoryPair, stdio, windowMessages } from "./transports.js";
export { Connection, Server };

// Written so that bundlers find the file and Node and browsers resolve it.
const DEFAULT_URL = new URL("../dist/mcp.wasm", import.meta.url);

const OPTIONS = new Set(["name", "title", "version", "instructions", "prefix", "readOnly", "maxMessageBytes", "maxInFlight", "onLog", "wasm"]);
const TEXTS = ["name", "title", "version", "instructions", "prefix"];
const MESSAGE_BYTES_DEFAULT = 16 << 20;
const MESSAGE_BYTES_MAX = 256 << 20;
const IN_FLIGHT_MAX = 4096;

/** The compiled default core, shared by all servers. */
let compiled = null;

/** serve makes an MCP server of a store, and connects it to a transport when one is given; mcp.d.ts describes it. */
export async function serve(store, transport, options = {}) {
  if (!(store instanceof Store)) throw typeError("a store", "what open() gave; a worker's store cannot be served from outside its worker", store);
  const { engine } = inside(store);
  if (engine.state !== OPEN) engine.refuse();
  const settings = checked(options);
  const channel = transport === undefined ? undefined : channelOf(transport);
  const core = await Core.start(await load(options.wasm), inside(store), settings, options.onLog);
  const server = new Server(core, settings.maxMessageBytes);
  if (channel === undefined) return server;
  try {
    await server.connect(channel);
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

/** registerWebMCP offers a store's tools to the browser's agent, where it has one; mcp.d.ts describes it. */
export function registerWebMCP(store, options = {}) {
  return webMCP(serve, store, options);
}

function checked(options) {
  refuseUnknown(options, OPTIONS, "serve");
  const { readOnly, maxMessageBytes = MESSAGE_BYTES_DEFAULT, maxInFlight = 0, onLog } = options;
  const settings = { maxMessageBytes: wholeNumber("maxMessageBytes", maxMessageBytes, MESSAGE_BYTES_MAX), readOnly: flag("readOnly", readOnly) };
  if (maxMessageBytes === 0) throw new IngotError("ERR_OPTIONS", "maxMessageBytes must be at least 1");
  settings.maxInFlight = wholeNumber("maxInFlight", maxInFlight, IN_FLIGHT_MAX);
  for (const name of TEXTS) {
    if (options[name] === undefined) continue;
    if (typeof options[name] !== "string") throw typeError(name, "a string", options[name]);
    settings[name] = options[name];
  }
  if (onLog !== undefined && typeof onLog !== "function") throw typeError("onLog", "a function", onLog);
  return settings;
}

function load(wasm) {
  if (wasm !== undefined) return loadModule(wasm);
  compiled ??= loadModule(DEFAULT_URL).catch((error) => {
    compiled = null; // a later serve may find the file
    throw error;
  });
  return compiled;
}

/** Server serves one store to any number of clients. serve() makes one. */
class Server {
  #core;
  #messageBytesMax;
  #connections = new Set();
  #settle;
  #closing;

  /** Resolves when the last of the connections is over; rejects when the core has trapped. */
  done;

  /** @internal */
  constructor(core, messageBytesMax) {
    this.#core = core;
    this.#messageBytesMax = messageBytesMax;
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.done.catch(() => {}); // who does not look is not to be ended by it
  }

  /** The open connections. */
  get connections() {
    return [...this.#connections];
  }

  /** connect serves a further transport. */
  async connect(transport) {
    if (this.#core.failure !== null) throw this.#core.failure;
    const connection = new Connection(this.#core, channelOf(transport), this.#messageBytesMax, () => this.#left(connection));
    this.#connections.add(connection);
    await connection.start();
    return connection;
  }

  #left(connection) {
    this.#connections.delete(connection);
    if (this.#core.failure?.code === "ERR_POISONED") this.#settle.reject(this.#core.failure);
    else if (this.#connections.size === 0) this.#settle.resolve();
  }

  /** close cancels the calls in flight and ends all connections. The store stays open. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    await Promise.allSettled([...this.#connections].map((connection) => connection.close()));
    this.#core.close();
    this.#settle.resolve();
  }
}
