/**
 * ingot-state/mcp: a store as a server of the Model Context Protocol.
 *
 * ```js
 * import { open } from "ingot-state";
 * import { serve, stdio } from "ingot-state/mcp";
 * const store = await open({ persist: "fs", dir: "./data" });
 * const server = await serve(store, stdio(), { name: "notes", version: "1" });
 * await server.done; // the client has gone, and everything is answered
 * await store.close();
 * ```
 *
 * The server is the Go core of ingot, compiled to WebAssembly: both eras of the
 * protocol (2024-11-05 to 2025-11-25, and 2026-07-28), the tools state_get,
 * state_set, state_delete, state_exists, state_list, state_increment,
 * state_compare_and_swap, state_batch_get, state_batch_set and state_wait, and each
 * entry as a resource (state:///{+key}), with notifications of changes. An answer to a
 * write of a kept store leaves when the write is durable, if its `sync` is "always" or
 * "group".
 *
 * Everything that fails rejects or throws with an IngotError of ingot-state. The
 * store has to be one of open(): openWorker() keeps its store in a worker, and
 * serve() has to be called there.
 */
import type { Store } from "./index.js";

/** The shape of the TypeScript SDK's transports. */
export interface MessageTransport {
  start(): Promise<void>;
  send(message: any, options?: any): Promise<void>;
  close(): Promise<void>;
  onmessage?: ((message: any, extra?: any) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
}

/** A MessagePort, a Worker, or a worker's own scope: of a browser or of Node. */
export interface MessagePortLike {
  postMessage(message: any): void;
  addEventListener?(name: string, listener: (event: any) => void): void;
  removeEventListener?(name: string, listener: (event: any) => void): void;
  on?(name: string, listener: (value: any) => void): unknown;
  off?(name: string, listener: (value: any) => void): unknown;
}

/** A transport of this package's own, made by stdio() or windowMessages(). It serves one connection. */
export abstract class Channel {
  private constructor();
  private readonly channel: true;
}

/**
 * What a connection can run over. A port's and a window's messages are JSON-RPC
 * messages as objects; a client that sends them as JSON texts gets texts. A port is
 * closed with its connection, a worker is not. A browser's worker scope (`self`) loses
 * what comes before serve() has resolved: have the worker say when it is ready.
 */
export type Transport = Channel | MessagePortLike | MessageTransport;

export interface ServeOptions {
  /** Who the server says it is. Default "mcp-server". */
  name?: string;
  /** The same for people. */
  title?: string;
  /** Default "0.0.0". */
  version?: string;
  /** How to use the server, for the model. */
  instructions?: string;
  /** Serves only the keys below this, and without it: it ends with a slash and has at least 2 bytes. Default: all. */
  prefix?: string;
  /** Offers only the tools that read. */
  readOnly?: boolean;
  /** The longest message taken, in bytes; a longer one is answered with an error. Default 16 MiB, at most 256 MiB. */
  maxMessageBytes?: number;
  /** Calls of one connection that run at once; 16 times as many wait, then the client does. Default 64, at most 4096. */
  maxInFlight?: number;
  /** Takes what the server logs. Default: nothing does. */
  onLog?: (line: { level: "debug" | "info" | "warn" | "error"; text: string }) => void;
  /** mcp.wasm: compiled, as bytes, or where to get it. Default: the package's own file. */
  wasm?: WebAssembly.Module | ArrayBuffer | Uint8Array | URL | string | Response;
}

/**
 * Makes a server of a store, and connects it to a transport if one is given. Throws
 * ERR_CLOSED for a store that is closed, ERR_OPTIONS and ERR_TYPE for what cannot be
 * served, ERR_WASM, ERR_WASM_LOAD and ERR_ABI where mcp.wasm is none.
 */
export function serve(store: Store, transport?: Transport, options?: ServeOptions): Promise<Server>;

/** One store, served to any number of clients. It has a WebAssembly memory of its own. */
export class Server {
  private constructor();
  /**
   * Resolves when the last connection is over, or close() is done; rejects with
   * ERR_POISONED when the core has trapped: then every connection is over, and the
   * store goes on.
   */
  readonly done: Promise<void>;
  /** The connections that are open. */
  readonly connections: Connection[];
  /** Serves a further transport. Throws ERR_CLOSED after close(). */
  connect(transport: Transport): Promise<Connection>;
  /** Cancels the calls in flight and ends all connections. The store stays open. */
  close(): Promise<void>;
}

/** One client of a Server. */
export class Connection {
  private constructor();
  /**
   * Resolves when the connection is over: the client has ended it and its calls are
   * answered, or close() was called. Rejects with what broke it: the transport's own
   * error, ERR_FULL for a client that sends faster than it is served over a transport
   * that cannot make it wait, ERR_POISONED.
   */
  readonly closed: Promise<void>;
  /** Cancels the calls in flight and ends the connection. */
  close(): Promise<void>;
}

/** A readable stream of Node, such as process.stdin. */
export interface InputStream {
  on(event: string, listener: (...values: any[]) => void): unknown;
  off(event: string, listener: (...values: any[]) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** A writable stream of Node, such as process.stdout. */
export interface OutputStream {
  on(event: string, listener: (...values: any[]) => void): unknown;
  off(event: string, listener: (...values: any[]) => void): unknown;
  once(event: string, listener: (...values: any[]) => void): unknown;
  write(text: string, written?: () => void): boolean;
}

/**
 * Messages as lines over two streams of Node, those of the process by default. At the
 * end of the input the calls in flight are answered, then the connection is over.
 * Nothing else may be written to the output.
 */
export function stdio(options?: { input?: InputStream; output?: OutputStream }): Channel;

/**
 * Messages with another window: the parent of a frame, a frame, or one that was
 * opened. Only that window's messages are taken, and only while it shows a page of
 * `origin`; answers go to no other page. `self` is the window to listen at: this one
 * by default.
 */
export function windowMessages(target: { postMessage(message: any, origin: string): void }, options: { origin: string; self?: object }): Channel;

/** Two transports that are connected with each other: one for a client, one for serve(). */
export function inMemoryPair(): [MessageTransport, MessageTransport];

export interface WebMCPOptions {
  /** As for serve(). */
  prefix?: string;
  readOnly?: boolean;
  onLog?: ServeOptions["onLog"];
  wasm?: ServeOptions["wasm"];
  /** Unregisters the tools when it aborts. */
  signal?: AbortSignal;
}

/** Tools that a page offers to the browser's agent. */
export interface WebMCPRegistration {
  /** Their names. */
  readonly tools: string[];
  /** Unregisters them; calls in flight fail. */
  close(): Promise<void>;
}

/**
 * Offers the store's tools to the browser's agent: document.modelContext (WebMCP).
 * Gives undefined where the browser has none. A tool answers { content,
 * structuredContent, isError } as over MCP. A page can have a tool of a name once.
 */
export function registerWebMCP(store: Store, options?: WebMCPOptions): Promise<WebMCPRegistration | undefined>;
