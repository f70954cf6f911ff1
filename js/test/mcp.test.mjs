// ingot-state/mcp: what it serves, whom, and how it ends.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "../index.js";
import { inMemoryPair, serve } from "../mcp/index.js";
import { RawClient } from "./mcp-client.mjs";

const code = (wanted) => (error) => error.code === wanted;

async function served(t, options, store) {
  store ??= await open();
  const [near, far] = inMemoryPair();
  const server = await serve(store, far, options);
  t.after(() => server.close());
  return { store, server, client: await RawClient.over(near) };
}

test("tools work on the store, and the store's own methods see it", async (t) => {
  const { store, client } = await served(t, { name: "memory", version: "3", instructions: "Remember." });
  assert.deepEqual(await client.call("state_set", { key: "a", value: "1" }), { stored: true, version: 1 });
  assert.equal(store.getString("a"), "1");
  store.set("b", new Uint8Array([255]), { ttl: 60_000 });
  assert.deepEqual(await client.call("state_get", { key: "b" }), { found: true, value_base64: "/w==", version: 2, ttl_seconds: 60 });
  const { serverInfo, instructions } = await client.initialize();
  assert.deepEqual([serverInfo, instructions], [{ name: "memory", version: "3" }, "Remember."]);
});

test("versions, counters and keys are exact", async (t) => {
  const { store, client } = await served(t);
  store.set("n", "9007199254740993");
  const answer = await client.request("tools/call", { name: "state_increment", arguments: { key: "n" } });
  assert.match(answer.result.content[0].text, /"value":9007199254740994/); // as text: a number would lose it
  store.set(new Uint8Array([0xff, 0x2f]), "bytes");
  const { entries } = await client.call("state_list", {});
  assert.deepEqual(entries.map(({ key, key_base64 }) => key ?? key_base64), ["n", "/y8="]);
});

test("the store's clock is the server's", async (t) => {
  let now = 1_000_000;
  const { client } = await served(t, {}, await open({ now: () => now }));
  await client.call("state_set", { key: "k", value: "v", ttl_seconds: 10 });
  now += 9000;
  assert.equal((await client.call("state_get", { key: "k" })).ttl_seconds, 1);
  now += 1000;
  assert.deepEqual(await client.call("state_get", { key: "k" }), { found: false });
});

test("errors of the store reach the client as such", async (t) => {
  const { client } = await served(t, {}, await open({ maxBytes: 1000 }));
  const { result } = await client.request("tools/call", { name: "state_set", arguments: { key: "k", value: "x".repeat(2000) } });
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /budget/);
  assert.deepEqual(await client.call("state_set", { key: "k", value: "v" }), { stored: true, version: 1 });
  assert.deepEqual(await client.call("state_set", { key: "k", value: "w", if_version: 9 }), { stored: false, version: 1 });
});

test("values longer than any buffer come back whole", async (t) => {
  const { store, client } = await served(t);
  const value = "0123456789".repeat(300_000);
  assert.equal((await client.call("state_set", { key: "k", value })).stored, true);
  assert.equal(store.getString("k"), value);
  assert.equal((await client.call("state_get", { key: "k" })).value, value);
  const keys = Array.from({ length: 5 }, () => "k"); // more than one reply of the engine
  const { entries } = await client.call("state_batch_get", { keys });
  assert.deepEqual(entries.map((e) => e.value.length), keys.map(() => value.length));
});

test("prefix: a part of the store, and readOnly: only tools that read", async (t) => {
  const store = await open();
  store.set("notes/a", "1");
  store.set("other", "2");
  const { client } = await served(t, { prefix: "notes/" }, store);
  assert.deepEqual((await client.call("state_list", {})).entries.map(({ key }) => key), ["a"]);
  await client.call("state_set", { key: "b", value: "3" });
  assert.equal(store.getString("notes/b"), "3");

  const reader = await served(t, { prefix: "notes/", readOnly: true }, store);
  const { result } = await reader.client.request("tools/list");
  assert.deepEqual(result.tools.map(({ name }) => name).sort(), ["state_batch_get", "state_exists", "state_get", "state_list", "state_wait"]);
  assert.ok(result.tools.every(({ annotations }) => annotations.readOnlyHint));
  const { error } = await reader.client.request("tools/call", { name: "state_set", arguments: { key: "a", value: "x" } });
  assert.match(error.message, /state_set/);
  assert.equal(store.getString("notes/a"), "1");
});

test("waits end with a change from either side, with their time, and when cancelled", async (t) => {
  const { store, client } = await served(t);
  const waiting = client.call("state_wait", { key: "k", version: 0, timeout_seconds: 3600 });
  await client.call("state_exists", { key: "k" }); // it waits by now
  store.set("k", "from the page");
  assert.equal((await waiting).value, "from the page");
  assert.deepEqual(await client.call("state_wait", { key: "k", version: 1, timeout_seconds: 0.01 }), { changed: false, found: true, value: "from the page", version: 1 });

  await client.initialize();
  client.send({ jsonrpc: "2.0", id: "w", method: "tools/call", params: { name: "state_wait", arguments: { key: "k", version: 1, timeout_seconds: 3600 } } });
  await client.call("state_exists", { key: "k" });
  assert.equal(store.stats().watchers, 1);
  client.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "w" } });
  await client.call("state_exists", { key: "k" });
  assert.equal(store.stats().watchers, 0);
});

test("a wait becomes a task for a client that knows tasks", async (t) => {
  const { store, client } = await served(t);
  await client.initialize();
  client.send({ jsonrpc: "2.0", id: 1000, method: "tools/call", params: { name: "state_wait", arguments: { key: "k", version: 0 }, task: {} } });
  const { result } = await client.next((m) => m.id === 1000);
  assert.equal(result.task.status, "working");
  store.set("k", "done");
  client.send({ jsonrpc: "2.0", id: 1001, method: "tasks/result", params: { taskId: result.task.taskId } });
  const task = await client.next((m) => m.id === 1001);
  assert.equal(task.result.structuredContent.value, "done");
});

test("clients hear of changes of what they listen to", async (t) => {
  const { store, server, client } = await served(t);
  await client.initialize();
  client.send({ jsonrpc: "2.0", id: "s", method: "resources/subscribe", params: { uri: "state:///a" } });
  await client.next((m) => m.id === "s");
  store.set("b", "1");
  store.set("a", "1");
  const heard = await client.next((m) => m.method === "notifications/resources/updated");
  assert.equal(heard.params.uri, "state:///a");
  await server.close();
  assert.equal(store.stats().watchers, 0);
});

test("one server serves several clients, each with its own ids", async (t) => {
  const { server, client } = await served(t);
  const [near, far] = inMemoryPair();
  const connection = await server.connect(far);
  const second = await RawClient.over(near);
  assert.equal(server.connections.length, 2);
  const [a, b] = await Promise.all([client.call("state_increment", { key: "n" }), second.call("state_increment", { key: "n" })]);
  assert.deepEqual([a.value, b.value].sort(), [1, 2]);
  await connection.close();
  assert.equal(second.closed, true);
  assert.equal((await client.call("state_get", { key: "n" })).value, "2");
});

test("a client that leaves ends its connection, and the last one the server's work", async (t) => {
  const { server, client } = await served(t);
  const [connection] = server.connections;
  await client.call("state_set", { key: "k", value: "v" });
  await client.close();
  await connection.closed;
  await server.done;
  assert.equal(server.connections.length, 0);
});

test("after close there is no server, and the store goes on", async (t) => {
  const { store, server, client } = await served(t);
  const waiting = client.request("tools/call", { name: "state_wait", arguments: { key: "k", version: 0, timeout_seconds: 3600 } });
  await client.request("ping");
  await server.close();
  await server.close();
  await server.done;
  assert.equal(client.closed, true);
  assert.equal(await Promise.race([waiting, Promise.resolve("unanswered")]), "unanswered");
  await assert.rejects(server.connect(inMemoryPair()[0]), code("ERR_CLOSED"));
  store.set("k", "v");
  assert.equal(store.stats().watchers, 0);
});

test("a store that is closed answers its tools with an error", async (t) => {
  const { store, client } = await served(t);
  await client.call("state_set", { key: "k", value: "v" });
  await store.close();
  const { result } = await client.request("tools/call", { name: "state_get", arguments: { key: "k" } });
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /closed/);
  await assert.rejects(serve(store), code("ERR_CLOSED"));
});

test("what is served in the wrong way is refused", async () => {
  const store = await open();
  await assert.rejects(serve({}), code("ERR_TYPE"));
  await assert.rejects(serve(store, 7), code("ERR_TYPE"));
  await assert.rejects(serve(store, {}), code("ERR_TYPE"));
  await assert.rejects(serve(store, undefined, { readonly: true }), code("ERR_OPTIONS"));
  await assert.rejects(serve(store, undefined, { readOnly: "yes" }), code("ERR_TYPE"));
  await assert.rejects(serve(store, undefined, { name: 1 }), code("ERR_TYPE"));
  await assert.rejects(serve(store, undefined, { maxMessageBytes: 0 }), code("ERR_OPTIONS"));
  await assert.rejects(serve(store, undefined, { maxInFlight: 1e9 }), code("ERR_OPTIONS"));
  await assert.rejects(serve(store, undefined, { onLog: "stderr" }), code("ERR_TYPE"));
  await assert.rejects(serve(store, undefined, { prefix: "no-slash" }), (error) => error.code === "ERR_OPTIONS" && /slash/.test(error.message));
  const window = { postMessage() {}, get window() { return this; } };
  await assert.rejects(serve(store, window), (error) => error.code === "ERR_OPTIONS" && /windowMessages/.test(error.message));
});

test("a wasm file that is none of its own is refused", async () => {
  const store = await open();
  const file = new URL("../dist/mcp.wasm", import.meta.url);
  await assert.rejects(serve(store, undefined, { wasm: (await readFile(file)).subarray(0, 1000) }), code("ERR_WASM"));
  await assert.rejects(serve(store, undefined, { wasm: new Uint8Array(8) }), code("ERR_WASM"));
  await assert.rejects(serve(store, undefined, { wasm: new URL("../dist/engine.wasm", import.meta.url) }), code("ERR_ABI"));
  await assert.rejects(serve(store, undefined, { wasm: new URL("../dist/none.wasm", import.meta.url) }), code("ERR_WASM_LOAD"));
  await assert.rejects(open({ wasm: file }), code("ERR_ABI"));
});

test("the server's log is told", async (t) => {
  const lines = [];
  const { client } = await served(t, { onLog: (line) => lines.push(line) });
  await client.initialize();
  client.send({ jsonrpc: "2.0", method: "notifications/nonsense" });
  await client.request("ping");
  assert.ok(lines.some(({ level, text }) => level === "warn" && text.includes("notifications/nonsense")), JSON.stringify(lines));
});

test("an answer to a write leaves when the write is durable", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ingot-mcp-"));
  t.after(() => rm(dir, { recursive: true }));
  const store = await open({ persist: "fs", dir });
  const { client } = await served(t, {}, store);
  store.set("k", "v");
  assert.notEqual(store.logStats().pendingBytes, 0, "a write of this turn waits for its sync");
  for (let i = 0; i < 20; i++) {
    await client.call("state_set", { key: `k${i}`, value: "v" });
    assert.equal(store.logStats().pendingBytes, 0);
  }
  const before = store.logStats().syncs;
  await client.call("state_get", { key: "k1" });
  assert.equal(store.logStats().syncs, before, "a read has nothing to wait for");
  await store.close();
});

test("where a write cannot be made durable its answer is not given", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ingot-mcp-"));
  const store = await open({ persist: "fs", dir });
  const { server, client } = await served(t, {}, store);
  await client.call("state_set", { key: "k", value: "v" });
  const [connection] = server.connections;
  await rm(dir, { recursive: true });
  const answer = client.request("tools/call", { name: "state_set", arguments: { key: "k", value: "lost" } });
  await assert.rejects(connection.closed, code("ERR_READ_ONLY"));
  assert.equal(client.closed, true);
  assert.equal(await Promise.race([answer, Promise.resolve("unanswered")]), "unanswered");
  await assert.rejects(store.close(), code("ERR_READ_ONLY"));
});
