// registerWebMCP where there is no browser: against a modelContext that behaves as
// that of Chromium 156, which conformance/mcp.test.mjs has for real.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "../index.js";
import { registerWebMCP } from "../mcp/index.js";

const code = (wanted) => (error) => error.code === wanted;

class ModelContext {
  tools = new Map();

  async registerTool(tool, { signal }) {
    if (this.tools.has(tool.name)) throw new DOMException("Duplicate tool name", "InvalidStateError");
    this.tools.set(tool.name, tool);
    signal.addEventListener("abort", () => this.tools.delete(tool.name));
  }
}

function inPage(t) {
  const modelContext = new ModelContext();
  globalThis.document = { modelContext };
  t.after(() => delete globalThis.document);
  return modelContext;
}

test("where there is no agent nothing is registered", async () => {
  assert.equal(await registerWebMCP(await open()), undefined);
});

test("calls in flight fail when the tools are unregistered, and end when the store does not", async (t) => {
  const { tools } = inPage(t);
  const store = await open();
  const registration = await registerWebMCP(store);
  const waiting = tools.get("state_wait").execute({ key: "k", version: 0, timeout_seconds: 3600 }, {});
  await tools.get("state_exists").execute({ key: "k" }, {});
  assert.equal(store.stats().watchers, 1);
  const failed = assert.rejects(waiting, code("ERR_CLOSED"));
  await registration.close();
  await registration.close();
  await failed;
  assert.equal(tools.size, 0);
  assert.equal(store.stats().watchers, 0);
});

test("a name that is taken leaves nothing behind", async (t) => {
  const modelContext = inPage(t);
  modelContext.tools.set("state_list", {});
  await assert.rejects(registerWebMCP(await open()), { name: "InvalidStateError" });
  assert.deepEqual([...modelContext.tools.keys()], ["state_list"]);
});

test("an aborted signal registers nothing", async (t) => {
  const { tools } = inPage(t);
  const store = await open();
  await assert.rejects(registerWebMCP(store, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const controller = new AbortController();
  const registering = registerWebMCP(store, { signal: controller.signal });
  controller.abort();
  await assert.rejects(registering, { name: "AbortError" });
  assert.equal(tools.size, 0);
});

test("wrong options are refused", async () => {
  const store = await open();
  await assert.rejects(registerWebMCP(store, { signal: true }), code("ERR_TYPE"));
  await assert.rejects(registerWebMCP(store, { readOnly: 1 }), code("ERR_TYPE"));
  await assert.rejects(registerWebMCP(store, { name: "x" }), code("ERR_OPTIONS"));
});
