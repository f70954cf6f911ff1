// The transports of ingot-state/mcp: how frames come and go, what is bounded, and
// what a broken client gets.
import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { MessageChannel, Worker } from "node:worker_threads";
import { open } from "../index.js";
import { inMemoryPair, serve, stdio, windowMessages } from "../mcp/index.js";
import { fakeEngine } from "./fake-engine.mjs";
import { RawClient } from "./mcp-client.mjs";

const code = (wanted) => (error) => error.code === wanted;
const ping = (id) => ({ jsonrpc: "2.0", id, method: "ping" });
const INITIALIZE = { jsonrpc: "2.0", id: "init", method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } } };
const line = (message) => `${JSON.stringify(message)}\n`;

/** A server over two streams; answers() is what it wrote, message by message. */
async function overStreams(t, options, output = new PassThrough()) {
  const input = new PassThrough();
  const written = [];
  if (output instanceof PassThrough) output.on("data", (chunk) => written.push(chunk));
  const store = await open();
  const server = await serve(store, stdio({ input, output }), options);
  t.after(() => server.close());
  const answers = () => Buffer.concat(written).toString().split("\n").filter((text) => text !== "").map((text) => JSON.parse(text));
  return { store, server, input, output, answers };
}

async function until(condition) {
  while (!condition()) await turn();
}

test("stdio: lines in, lines out, however they are cut", async (t) => {
  const { server, input, answers } = await overStreams(t);
  const text = Buffer.from(line(INITIALIZE) + "\r\n\n" + line(ping("Grüße")).replace("\n", "\r\n") + JSON.stringify(ping("last")));
  for (const byte of text) input.write(Buffer.from([byte]));
  input.end();
  await server.done;
  assert.deepEqual(answers().map(({ id }) => id), ["init", "Grüße", "last"]);
});

test("stdio: at the end of the input the calls in flight are answered, then it is over", async (t) => {
  const { store, server, input, answers } = await overStreams(t);
  input.write(line(INITIALIZE));
  input.end(line({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "state_wait", arguments: { key: "k", version: 0, timeout_seconds: 3600 } } }));
  await until(() => store.stats().watchers === 1);
  let over = false;
  server.done.then(() => (over = true));
  await turn();
  assert.equal(over, false);
  store.set("k", "v");
  await server.done;
  assert.equal(answers()[1].result.structuredContent.value, "v");
});

test("stdio: what is broken is answered, and the connection goes on", async (t) => {
  const { server, input, answers } = await overStreams(t, { maxMessageBytes: 1000 });
  input.write('{"jsonrpc":"2.0","id":1,"method"\n');
  input.write('{"jsonrpc":"2.0","id":2,"METHOD":"ping"}\n');
  input.write(Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":3,"method":"p'), Buffer.from([0xff]), Buffer.from('"}\n')]));
  input.write("[]\n");
  for (let i = 0; i < 100; i++) input.write("x".repeat(1000)); // one line, far too long
  input.write("\n");
  input.end(line(ping("alive")));
  await server.done;
  const got = answers();
  assert.deepEqual(got.slice(0, -1).map(({ error }) => error.code), [-32700, -32600, -32700, -32600, -32600]);
  assert.match(got.at(-2).error.message, /limit of 1000 bytes/);
  assert.deepEqual(got.at(-1), { jsonrpc: "2.0", id: "alive", result: {} });
});

test("stdio: a client that does not read is made to wait, and loses nothing", async (t) => {
  let release;
  const held = [];
  const output = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, written) {
      held.push(chunk);
      release = written;
    },
  });
  const { store, server, input } = await overStreams(t, {}, output);
  store.set("k", "x".repeat(100_000));
  input.write(line(INITIALIZE));
  const asked = 2000;
  const request = (id) => line({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "state_get", arguments: { key: "k" } } });
  for (let id = 0; id < asked; id++) input.write(request(id));
  await until(() => input.isPaused());
  const sent = Buffer.concat(held).length;
  assert.ok(sent < 4 << 20, `${sent} bytes were written to a client that does not read`);
  assert.ok(input.readableLength > 0, "the rest of the input is not read");
  input.end();
  let over = false;
  server.done.then(() => (over = true));
  while (!over) {
    release?.();
    await turn();
  }
  const ids = Buffer.concat(held).toString().split("\n").slice(1, -1).map((text) => JSON.parse(text).id);
  assert.deepEqual(ids.sort((a, b) => a - b), Array.from({ length: asked }, (_, id) => id));
});

test("stdio: a client that is gone ends the connection, with the reason", async (t) => {
  const broken = new Error("EPIPE");
  const output = new Writable({ write: (_chunk, _encoding, written) => written(broken) });
  const { server, input } = await overStreams(t, {}, output);
  const [connection] = server.connections;
  input.write(line(INITIALIZE));
  await assert.rejects(connection.closed, (error) => error === broken);
  await server.done;

  const second = await overStreams(t);
  const [failed] = second.server.connections;
  second.input.destroy(new Error("EIO"));
  await assert.rejects(failed.closed, /EIO/);
});

test("stdio takes streams only", () => {
  assert.throws(() => stdio({ input: "stdin" }), code("ERR_TYPE"));
  assert.throws(() => stdio({ output: {} }), code("ERR_TYPE"));
  assert.throws(() => stdio({ stdin: process.stdin }), code("ERR_OPTIONS"));
});

test("a MessagePort: objects, or texts for a client that sends texts", async (t) => {
  const { port1, port2 } = new MessageChannel();
  const store = await open();
  const server = await serve(store, port1);
  t.after(() => server.close());
  const [connection] = server.connections;
  const client = new RawClient({ send: (message) => port2.postMessage(message) });
  port2.on("message", (message) => client.received(message));
  assert.deepEqual(await client.call("state_set", { key: "k", value: "v" }), { stored: true, version: 1 });
  client.send(JSON.stringify(ping("text")));
  assert.equal(await client.next((message) => typeof message === "string"), '{"jsonrpc":"2.0","id":"text","result":{}}');
  for (const nonsense of [undefined, 7, { a: 1n }]) {
    client.send(nonsense);
    const { error } = await client.next((message) => message.error !== undefined);
    assert.ok(error.code === -32700 || error.code === -32600, JSON.stringify(error));
  }
  port2.close();
  await connection.closed;
});

test("a worker serves the one who made it, and the other way round", async (t) => {
  const worker = new Worker(new URL("./mcp-worker.mjs", import.meta.url));
  t.after(() => worker.terminate());
  const client = new RawClient({ send: (message) => worker.postMessage(message) });
  worker.on("message", (message) => client.received(message));
  await client.next((message) => message === "ready");
  assert.deepEqual(await client.call("state_increment", { key: "n" }), { value: 1, version: 1 });

  // Here the worker is the client: it sends a line and gives back what comes.
  const asking = new Worker(`
    const { parentPort } = require("node:worker_threads");
    parentPort.once("message", (message) => parentPort.postMessage({ jsonrpc: "2.0", method: "notifications/got " + JSON.stringify(message.result) }));
    parentPort.postMessage({ jsonrpc: "2.0", id: 1, method: "ping" });
  `, { eval: true });
  const logged = new Promise((resolve) => {
    open().then((store) => serve(store, asking, { onLog: ({ text }) => text.includes("got {}") && resolve(text) }));
  });
  await logged;
  await asking.terminate();
});

test("a window: only that window's messages, and only of that origin", async (t) => {
  const self = new EventTarget();
  const sent = [];
  const parent = { postMessage: (message, origin) => sent.push({ message, origin }) };
  const server = await serve(await open(), windowMessages(parent, { origin: "https://example.org", self }));
  t.after(() => server.close());
  const hear = (source, origin, data) => self.dispatchEvent(Object.assign(new Event("message"), { source, origin, data }));
  hear({}, "https://example.org", ping("another window"));
  hear(parent, "https://evil.example", ping("another origin"));
  hear(parent, "https://example.org.evil.example", ping("another origin"));
  hear(null, "https://example.org", ping("no window"));
  hear(parent, "https://example.org", ping("the client"));
  await until(() => sent.length > 0);
  await turn();
  assert.deepEqual(sent, [{ message: { jsonrpc: "2.0", id: "the client", result: {} }, origin: "https://example.org" }]);
  await server.close();
  hear(parent, "https://example.org", ping("after close"));
  await turn();
  assert.equal(sent.length, 1);
});

test("a window needs one origin", () => {
  const parent = { postMessage() {} };
  for (const origin of ["*", "", "null", "/", "https://example.org/page", "example.org"]) {
    assert.throws(() => windowMessages(parent, { origin }), code("ERR_OPTIONS"), origin);
  }
  assert.throws(() => windowMessages(parent, {}), code("ERR_TYPE"));
  assert.throws(() => windowMessages(7, { origin: "https://example.org" }), code("ERR_TYPE"));
});

test("an object of the SDK's shape; one that fails ends its connection only", async (t) => {
  const store = await open();
  const server = await serve(store);
  t.after(() => server.close());
  const broken = new Error("the wire is cut");
  const transport = { start: async () => {}, send: async () => { throw broken; }, close: async () => {} };
  const connection = await server.connect(transport);
  transport.onmessage(ping(1));
  await assert.rejects(connection.closed, (error) => error === broken);
  const refused = { start: async () => { throw broken; }, send: async () => {}, close: async () => {} };
  await assert.rejects(server.connect(refused), (error) => error === broken);
  await assert.rejects(serve(store, { ...refused }), (error) => error === broken);
  const [near, far] = inMemoryPair();
  await server.connect(far);
  const client = await RawClient.over(near);
  assert.deepEqual(await client.call("state_exists", { key: "k" }), { exists: false });
  assert.equal(server.connections.length, 1);
});

test("one that cannot be made to wait, and does not, is closed", async (t) => {
  const server = await serve(await open(), undefined, { maxMessageBytes: 1000 });
  t.after(() => server.close());
  const transport = { start: async () => {}, send: async () => {}, close: async () => {} };
  const connection = await server.connect(transport);
  for (let i = 0; i < 100; i++) transport.onmessage?.(ping("x".repeat(900)));
  await assert.rejects(connection.closed, code("ERR_FULL"));
});

test("calls in flight are bounded, and the rest wait", async (t) => {
  const store = await open();
  const [near, far] = inMemoryPair();
  const server = await serve(store, far, { maxInFlight: 2 });
  t.after(() => server.close());
  const client = await RawClient.over(near);
  const waits = Array.from({ length: 10 }, (_, i) => client.call("state_wait", { key: `k${i}`, version: 0, timeout_seconds: 3600 }));
  await client.call("state_exists", { key: "k" });
  assert.equal(store.stats().watchers, 2);
  for (let i = 0; i < 10; i++) store.set(`k${i}`, "v");
  assert.deepEqual((await Promise.all(waits)).map(({ changed }) => changed), Array(10).fill(true));
});

test("a trap poisons the server: every connection is over, and the store goes on", async (t) => {
  const store = await open();
  const [near, far] = inMemoryPair();
  const server = await serve(store, far);
  const client = await RawClient.over(near);
  await client.call("state_set", { key: "k", value: "v" });
  const [connection] = server.connections;
  const clock = t.mock.method(performance, "now", () => {
    throw new Error("no time");
  });
  client.send(ping(1));
  await assert.rejects(connection.closed, code("ERR_POISONED"));
  clock.mock.restore();
  await assert.rejects(server.done, code("ERR_POISONED"));
  assert.equal(client.closed, true);
  await assert.rejects(server.connect(inMemoryPair()[0]), code("ERR_POISONED"));
  await server.close();
  assert.equal(store.getString("k"), "v");
});

test("a trap while a frame is taken does not reach who delivers it", async () => {
  const exports = ["_initialize", ...["abi", "changed", "close", "connect", "end", "error", "receive", "refuse", "run", "scratch", "start", "writable"].map((name) => `mcp_${name}`)];
  const core = { ...Object.fromEntries(exports.map((name) => [name, 0])), mcp_abi: 1, mcp_connect: 1 };
  for (const trap of ["mcp_receive", "mcp_end"]) {
    const store = await open();
    const input = new PassThrough();
    const server = await serve(store, stdio({ input, output: new PassThrough() }), { wasm: fakeEngine({ ...core, [trap]: undefined }) });
    const [connection] = server.connections;
    input.end(line(ping(1)));
    await assert.rejects(connection.closed, code("ERR_POISONED"));
    await assert.rejects(server.done, code("ERR_POISONED"));
    store.set("k", "the store goes on");
    await store.close();
  }
});

test("no bytes that a client sends end the server", async (t) => {
  const seed = Number(process.env.INGOT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`INGOT_TEST_SEED=${seed}`);
  const random = generator(seed);
  const { store, server, input, answers } = await overStreams(t, { maxMessageBytes: 4000 });
  const calls = [INITIALIZE, ping(1), { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "state_set", arguments: { key: "k", value: "v", ttl_seconds: 1.5 } } },
    { jsonrpc: "2.0", id: 3, method: "resources/read", params: { uri: "state:///%6B" } }, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } }];
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(line(calls[random(calls.length)]));
    for (let edits = random(6); edits > 0; edits--) bytes[random(bytes.length)] = random(256);
    input.write(bytes.subarray(random(4) === 0 ? random(bytes.length) : 0));
  }
  input.end(`\n${line(INITIALIZE)}${line({ jsonrpc: "2.0", id: "last", method: "tools/call", params: { name: "state_exists", arguments: { key: "absent" } } })}`);
  await server.done;
  const last = answers().find(({ id }) => id === "last"); // others may come behind it, from workers
  assert.deepEqual(last.result.structuredContent, { exists: false });
  assert.equal(store.stats().watchers, 0);
});

// mulberry32, a small generator that takes a seed.
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test("a server costs nothing between calls: no timer is left", async () => {
  const store = await open();
  const [near, far] = inMemoryPair();
  const server = await serve(store, far);
  const client = await RawClient.over(near);
  await client.call("state_wait", { key: "k", version: 0, timeout_seconds: 0.01 });
  await server.close();
  assert.deepEqual(process.getActiveResourcesInfo().filter((name) => name === "Timeout"), []);
});
