// A small MCP client for the modern era of the protocol (2026-07-28): every
// request is one POST that says in headers and in _meta what it is, and nothing
// is remembered between two of them. Closing the connection cancels a request.
// Source: MCP specification 2026-07-28, basic/transports/streamable-http.

export const protocolVersion = "2026-07-28";

const timeoutMillis = 10_000;
const toolsMax = 10_000; // of a list: a server whose cursors never end is left there
const pre = "io.modelcontextprotocol/";

/** Why a request had no result. code is one of the stable strings below. */
export class McpError extends Error {
  /** @param {"unreachable"|"unauthorized"|"protocol"|"tool"|"cancelled"} code */
  constructor(code, message, detail) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

export class McpClient {
  #endpoint;
  #clientInfo;
  #nextId = 1;

  /** The bearer token to send; null is none. */
  token = null;

  /** Milliseconds that the latest answered request took; null before the first. */
  lastMillis = null;

  constructor(endpoint, clientInfo) {
    this.#endpoint = endpoint;
    this.#clientInfo = clientInfo;
  }

  /** What the server says of itself: versions, capabilities, name. */
  discover() {
    return this.request("server/discover", {});
  }

  /** All tools that the server lists. */
  async tools() {
    const all = [];
    let cursor;
    do {
      const { tools, nextCursor } = await this.request("tools/list", cursor ? { cursor } : {});
      all.push(...tools);
      cursor = nextCursor;
    } while (cursor && all.length < toolsMax);
    return all;
  }

  /** Calls a tool and returns its structuredContent. */
  async call(name, args) {
    const result = await this.request("tools/call", { name, arguments: args });
    if (result.isError) {
      const text = (result.content ?? []).filter((c) => c.type === "text").map((c) => c.text);
      throw new McpError("tool", text.join("\n") || `The tool ${name} failed.`, result.structuredContent);
    }
    return result.structuredContent;
  }

  /**
   * Calls a tool and returns its whole result, that of a failure too. It takes as
   * long as the tool does, or until signal; hear gets the notifications meanwhile.
   */
  callTool(name, args, { signal, hear }) {
    return this.request("tools/call", { name, arguments: args }, { signal, hear, patient: true });
  }

  /** Hears of what changes until signal, or until the server ends it. */
  listen(notifications, { signal, hear }) {
    return this.request("subscriptions/listen", { notifications }, { signal, hear, patient: true });
  }

  async request(method, params, options = {}) {
    const id = this.#nextId++;
    const started = performance.now();
    const message = await this.#post(id, method, params, options);
    if (!options.patient) this.lastMillis = performance.now() - started;
    if (message.error) throw new McpError("protocol", `${message.error.message} (${message.error.code})`, message.error);
    const { resultType = "complete" } = message.result;
    if (resultType !== "complete") {
      throw new McpError("protocol", `The server answered with "${resultType}", which this page does not handle.`);
    }
    return message.result;
  }

  /** Reads a path beside the endpoint, as JSON, with the same token. */
  async look(path) {
    const headers = this.token === null ? {} : { Authorization: `Bearer ${this.token}` };
    let response;
    try {
      response = await fetch(path, { headers, signal: AbortSignal.timeout(timeoutMillis) });
    } catch {
      throw new McpError("unreachable", "The server does not answer.");
    }
    if (!response.ok) throw new McpError(response.status === 401 ? "unauthorized" : "protocol", `The server answers ${response.status} at ${path}.`);
    return response.json();
  }

  #message(id, method, params, hear) {
    const _meta = {
      [`${pre}protocolVersion`]: protocolVersion,
      [`${pre}clientInfo`]: this.#clientInfo,
      [`${pre}clientCapabilities`]: {},
    };
    if (hear) Object.assign(_meta, { progressToken: id, [`${pre}logLevel`]: "info" });
    return JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } });
  }

  async #post(id, method, params, { signal, hear, patient = false }) {
    const headers = {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": protocolVersion,
      "Mcp-Method": method,
    };
    if (params.name !== undefined) headers["Mcp-Name"] = params.name; // tool names are plain ASCII
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const body = this.#message(id, method, params, hear);
    let response;
    let text = "";
    try {
      response = await fetch(this.#endpoint, { method: "POST", headers, body, signal: patient ? signal : AbortSignal.timeout(timeoutMillis) });
      for await (const message of messages(response, (all) => (text = all))) {
        // An error about a request that could not be read has no id.
        if (message.id === id || (message.error && message.id == null)) return message;
        if (message.method) hear?.(message);
      }
    } catch (cause) {
      if (signal?.aborted) throw new McpError("cancelled", "Cancelled.");
      const late = cause.name === "TimeoutError";
      throw new McpError("unreachable", late ? `No answer in ${timeoutMillis / 1000} s.` : "The server does not answer.");
    }
    if (response.status === 401 || (response.status === 403 && response.headers.has("WWW-Authenticate"))) {
      throw new McpError("unauthorized", `The server did not take the token: ${text.trim().slice(0, 200)}.`);
    }
    throw new McpError("protocol", `The server answered ${response.status} ${response.statusText}: ${text.slice(0, 200)}`);
  }
}

/** The JSON-RPC messages of an answer, which is one JSON text or an event stream; whole gets the text that is neither. */
async function* messages(response, whole) {
  if ((response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
    for await (const data of eventData(response.body)) {
      const message = parsed(data);
      if (message) yield message;
    }
    return;
  }
  const text = await response.text();
  const message = parsed(text); // else an error page, told by the caller with its status
  if (message) yield message;
  whole(text);
}

function parsed(text) {
  try {
    const message = JSON.parse(text);
    return typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}

/** The data of each event of a text/event-stream, as it comes (HTML standard, section 9.2.6). */
async function* eventData(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value = "" } = await reader.read();
      rest += value;
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/); // a "\r" at the end may be half of a line end
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
        if (line !== "" || data.length === 0) continue;
        yield data.join("\n");
        data = [];
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {}); // nobody reads on
  }
}
