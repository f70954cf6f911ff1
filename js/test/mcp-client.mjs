// A small client for the tests of ingot-state/mcp: it sends what it is told, and
// hands out what comes.
import assert from "node:assert/strict";

const META = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };

export class RawClient {
  #transport;
  #received = [];
  #waiting = [];
  #id = 0;
  closed = false;

  constructor(transport) {
    this.#transport = transport;
    transport.onmessage = (message) => this.received(message);
    transport.onclose = () => (this.closed = true);
  }

  static async over(transport) {
    const client = new RawClient(transport);
    await transport.start();
    return client;
  }

  received(message) {
    const wanted = this.#waiting.findIndex(({ fits }) => fits(message));
    if (wanted < 0) this.#received.push(message);
    else this.#waiting.splice(wanted, 1)[0].resolve(message);
  }

  /** next is the first message that fits, of those that came and those that will. */
  next(fits = () => true) {
    const had = this.#received.findIndex(fits);
    if (had >= 0) return Promise.resolve(this.#received.splice(had, 1)[0]);
    return new Promise((resolve) => this.#waiting.push({ fits, resolve }));
  }

  send(message) {
    return this.#transport.send(message);
  }

  /** request sends a request of the stateless era and waits for its answer. */
  request(method, params = {}) {
    const id = ++this.#id;
    const answer = this.next((message) => message.id === id);
    this.send({ jsonrpc: "2.0", id, method, params: { ...params, _meta: META } });
    return answer;
  }

  /** call calls a tool and returns its structured content. */
  async call(name, args) {
    const { result, error } = await this.request("tools/call", { name, arguments: args });
    assert.equal(error, undefined, JSON.stringify(error));
    assert.ok(!result.isError, result.content?.[0]?.text);
    return result.structuredContent;
  }

  /** initialize begins a session of the legacy era. */
  async initialize() {
    const answer = this.next((message) => message.id === "init");
    this.send({ jsonrpc: "2.0", id: "init", method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } } });
    const { result } = await answer;
    this.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    return result;
  }

  close() {
    return this.#transport.close();
  }
}
