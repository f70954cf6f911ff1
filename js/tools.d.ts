/**
 * ingot-state/tools: tools compiled to WebAssembly (the native ABI of docs/ABI.md),
 * run in Node or a page with what a policy grants, and no more.
 *
 * ```js
 * import { open } from "ingot-state";
 * import { loadTool } from "ingot-state/tools";
 * const store = await open();
 * const tool = await loadTool(new URL("./counter.wasm", import.meta.url), {
 *   store,
 *   policy: { state: [{ prefix: "counter/", access: "read-write" }] },
 * });
 * const { result } = await tool.call({ name: "visits" });
 * ```
 *
 * A tool computes on the caller's thread: what it may burn is bounded by fuel, not
 * by a clock. Run it in a Worker when the page must stay quick meanwhile.
 */
import type { Store } from "./index.js";

export type ToolErrorCode =
  /** loadTool or call was given something that it cannot use. */
  | "ERR_TOOL_OPTIONS"
  /** The policy grants what this JavaScript cannot offer. */
  | "ERR_TOOL_UNSUPPORTED"
  /** The file cannot be read or fetched. */
  | "ERR_TOOL_LOAD"
  /** The file is no module that can be run. */
  | "ERR_TOOL_MODULE"
  /** The tool does not keep to the ABI. */
  | "ERR_TOOL_ABI"
  /** The arguments are too long, or cannot be written as JSON. */
  | "ERR_TOOL_INPUT"
  /** The result is longer than it may be. */
  | "ERR_TOOL_OUTPUT"
  /** The fuel of the call was burned. */
  | "ERR_TOOL_FUEL"
  /** The tool was refused memory, and failed. */
  | "ERR_TOOL_MEMORY"
  /** The tool did something illegal. */
  | "ERR_TOOL_TRAP"
  /** The tool ended itself. */
  | "ERR_TOOL_EXIT"
  /** The caller's signal ended the call, before it began or while the tool waited. */
  | "ERR_TOOL_CANCELED"
  | "ERR_TOOL_CLOSED"
  /** The tool itself reports a failure; the message is its own, and so is `guestCode`. */
  | "ERR_TOOL_FAILED";

/** What this module throws. `code` is stable, the text is not. */
export class ToolError extends Error {
  constructor(code: ToolErrorCode, message: string, options?: ErrorOptions & { guestCode?: string });
  readonly code: ToolErrorCode;
  readonly guestCode?: string;
}

export interface StateGrant {
  /** Keys that begin with it; not empty. */
  prefix: string;
  /** Default "read". */
  access?: "read" | "read-write";
  /** Bytes of keys and values that one call may move. Default 4 MiB. */
  bytes?: number;
  /** Operations of one call. Default 1000. */
  ops?: number;
}

export interface HttpGrant {
  /** A host name, with a port if it is not the usual one; `*.example.org` for those below it. */
  host: string;
  /** Default GET and HEAD. */
  methods?: string[];
}

export interface ToolLimits {
  /** Size of the file. Default 32 MiB. */
  moduleBytes?: number;
  /** Memory of an instance. Default 64 MiB. */
  memoryBytes?: number;
  /** Elements in all its tables. Default 1,048,576. */
  tableElements?: number;
  /** Length of the arguments as JSON. Default 4 MiB. */
  inputBytes?: number;
  /** Length of the result as JSON. Default 1 MiB. */
  outputBytes?: number;
  /** What one call may log. Default 64 KiB and 256 lines. */
  logBytes?: number;
  logLines?: number;
  /** What one call may burn: a unit is about an instruction. Default 2e9. */
  fuel?: number;
  /** Requests of one call. Default 16. */
  httpRequests?: number;
  /** Length of one answer. Default 4 MiB. */
  httpResponseBytes?: number;
}

/** What a tool may have. Without a policy it may compute, and nothing else. */
export interface ToolPolicy {
  state?: StateGrant[];
  /** Needs a JavaScript that can suspend WebAssembly (WebAssembly.Suspending). */
  http?: HttpGrant[];
  /** Environment variables and their values. */
  env?: Record<string, string>;
  /** "virtual", the default, starts at 1970 in each call, and a sleep takes no time. */
  clock?: "virtual" | "real";
  /** Makes random numbers the same in each call; not the numbers that the Go host gives for this seed. */
  seed?: string;
  limits?: ToolLimits;
}

export interface LogLine {
  tool: string;
  level: "debug" | "info" | "warn" | "error";
  text: string;
}

export interface LoadOptions {
  policy?: ToolPolicy;
  /** Where granted state lives. */
  store?: Store;
  /** Hears what the tool logs and prints. */
  onLog?: (line: LogLine) => void;
}

/** Compiles a tool and asks it what it is. */
export function loadTool(source: ArrayBuffer | Uint8Array | URL | string | Response, options?: LoadOptions): Promise<Tool>;

/** What a tool says about itself; the fields of a tool in the Model Context Protocol. */
export interface ToolDescription {
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: Record<string, unknown>;
  readonly outputSchema?: Record<string, unknown>;
  readonly annotations?: Record<string, unknown>;
}

export interface ToolProgress {
  progress: number;
  /** Undefined when the tool does not know. */
  total: number | undefined;
  message: string;
}

export interface CallOptions {
  /** Ends the call before it begins, and while the tool waits for the network; code that computes is ended by its fuel. */
  signal?: AbortSignal;
  onProgress?: (progress: ToolProgress) => void;
}

/** A loaded tool. Nothing that a call leaves in memory reaches the next one. */
export class Tool {
  private constructor();
  readonly description: ToolDescription;
  readonly name: string;
  /** Runs the tool once. The arguments are not checked against its schema. */
  call(args?: Record<string, unknown>, options?: CallOptions): Promise<{
    result: Record<string, any>;
    /** What the call burned: the same arguments burn the same, where nothing outside differs. */
    fuel: number;
  }>;
  /** Refuses further calls and frees the idle instances. */
  close(): void;
}
