// A small MCP client for the modern era of the protocol (2026-07-28): every
// request is one POST that says in headers and in _meta what it is, and nothing
// is remembered between two of them.
// Source: MCP specification 2026-07-28, basic/transports/streamable-http.

export const protocolVersion = "2026-07-28";

const timeoutMillis = 10_000;

/** Why a request had no result. code is one of the stable strings below. */
export class McpError extends Error {
  /** @param {"unreachable"|"unauthorized"|"protocol"|"tool"} code */
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

  /** Calls a tool and returns its structuredContent. */
  async call(name, args) {
    const result = await this.request("tools/call", { name, arguments: args });
    if (result.isError) {
      const text = (result.content ?? []).filter((c) => c.type === "text").map((c) => c.text);
      throw new McpError("tool", text.join("\n") || `The tool ${name} failed.`, result.structuredContent);
    }
    return result.structuredContent;
  }

  async request(method, params) {
    const id = this.#nextId++;
    const started = performance.now();
    const message = await this.#post(id, method, params);
    this.lastMillis = performance.now() - started;
    if (message.error) throw new McpError("protocol", `${message.error.message} (${message.error.code})`, message.error);
    const { resultType = "complete" } = message.result;
    if (resultType !== "complete") {
      throw new McpError("protocol", `The server answered with "${resultType}", which this page does not handle.`);
    }
    return message.result;
  }

  async #post(id, method, params) {
    const headers = {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": protocolVersion,
      "Mcp-Method": method,
    };
    if (params.name !== undefined) headers["Mcp-Name"] = params.name; // tool names are plain ASCII
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": protocolVersion,
      "io.modelcontextprotocol/clientInfo": this.#clientInfo,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta } });
    let response, text;
    try {
      const signal = AbortSignal.timeout(timeoutMillis);
      response = await fetch(this.#endpoint, { method: "POST", headers, body, signal });
      text = await response.text();
    } catch (cause) {
      const late = cause.name === "TimeoutError";
      throw new McpError("unreachable", late ? `No answer in ${timeoutMillis / 1000} s.` : "The server does not answer.");
    }
    const message = findResponse(response.headers.get("Content-Type") ?? "", text, id);
    if (message) return message;
    if (response.status === 401 || (response.status === 403 && response.headers.has("WWW-Authenticate"))) {
      throw new McpError("unauthorized", `The server did not take the token: ${text.trim().slice(0, 200)}.`);
    }
    throw new McpError("protocol", `The server answered ${response.status} ${response.statusText}: ${text.slice(0, 200)}`);
  }
}

/** The JSON-RPC response to id in a body, which is one JSON text or an event stream. */
function findResponse(contentType, body, id) {
  const texts = contentType.startsWith("text/event-stream") ? eventData(body) : [body];
  for (const text of texts) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      continue; // an HTTP error page, told by the caller with its status
    }
    // An error about a request that could not be read has no id.
    if (message?.id === id || (message?.error && message.id == null)) return message;
  }
  return null;
}

/** The data of each event of a text/event-stream body (HTML standard, section 9.2.6). */
function eventData(body) {
  return body.split(/\r\n\r\n|\n\n|\r\r/).map((event) =>
    event.split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, ""))
      .join("\n"),
  );
}
