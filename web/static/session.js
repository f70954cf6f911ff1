// The connection to the server that all views share: who it is, which tools it
// has, and whether it asks for a token.

import { protocolVersion } from "./mcp.js";
import { problemText } from "./problems.js";

const listenAgainMillis = 3000;
const tokenKey = "ingot-token"; // in the session storage, which ends with the tab
const stateTools = ["state_list", "state_get", "state_set", "state_delete", "state_batch_get"];

/**
 * Events: "change" when state did ("starting", "ready", "locked" or "lost", with
 * problem in words or null), "tools" when the list of tools was read.
 */
export class Session extends EventTarget {
  #client;
  #listening = null; // the AbortController of what hears of changes

  state = "starting";
  problem = null;
  server = null;
  tools = [];

  constructor(client, info) {
    super();
    this.#client = client;
    this.info = info;
    client.token = sessionStorage.getItem(tokenKey);
    document.addEventListener("visibilitychange", () => this.#hear());
  }

  get client() {
    return this.#client;
  }

  /** Whether the server has the tools that the State view works with. */
  get hasState() {
    return stateTools.every((name) => this.tools.some((tool) => tool.name === name));
  }

  /** [[label, text], …] about the server. */
  get facts() {
    if (this.server === null) return [];
    const self = this.server._meta?.["io.modelcontextprotocol/serverInfo"];
    const facts = [
      ["Server", self ? `${self.name} ${self.version}` : "unnamed"],
      ["Protocol", `MCP ${protocolVersion}`],
      ["Round trip", `${this.#client.lastMillis.toFixed(1)} ms`],
    ];
    if (this.info.backend) facts.push(["Hash", this.info.backend]); // not told to those without a token
    return facts;
  }

  /** Whether a token is needed and there is none to try. */
  get needsToken() {
    return Boolean(this.info.auth) && this.#client.token === null;
  }

  /** Learns who the server is, unless that is known, then has work done. Resolves to whether all went well. */
  async poll(work) {
    try {
      if (this.server === null) {
        this.server = await this.#client.discover();
        await this.readTools();
        this.#hear();
      }
      await work();
      if (this.info.auth) sessionStorage.setItem(tokenKey, this.#client.token);
      this.#become("ready", null);
      return true;
    } catch (error) {
      this.server = null; // what comes back may be another one
      if (error.code === "unauthorized") this.lock(error.message);
      else this.#become("lost", problemText(error), error.code);
      return false;
    }
  }

  lock(problem) {
    sessionStorage.removeItem(tokenKey);
    this.#become("locked", problem);
  }

  async readTools() {
    const tools = await this.#client.tools();
    this.tools = tools.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.dispatchEvent(new Event("tools"));
  }

  #become(state, problem, code = null) {
    Object.assign(this, { state, problem, code });
    this.dispatchEvent(new Event("change"));
  }

  /** Hears of changed lists while the page is seen: each open stream takes one of the few connections that a browser has for a server. */
  async #hear() {
    this.#listening?.abort();
    this.#listening = null;
    if (document.hidden || this.server === null || !this.server.capabilities?.tools?.listChanged) return;
    const listening = (this.#listening = new AbortController());
    const { signal } = listening;
    const read = () => this.readTools().catch(() => {}); // the next poll tells of a server that is gone
    while (!signal.aborted && this.server !== null) {
      try {
        await this.#client.listen({ toolsListChanged: true }, {
          signal,
          hear: ({ method }) => /list_changed$|acknowledged$/.test(method) && read(), // what changed before is not told
        });
      } catch {
        // as above
      }
      await new Promise((resolve) => setTimeout(resolve, listenAgainMillis));
    }
  }
}
