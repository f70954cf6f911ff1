// Tools in WebAssembly under a policy, in Node. web/test does the same in a page.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "../index.js";
import { ToolError, loadTool } from "../tools/index.js";
import { ingotImports } from "../tools/imports.js";
import { FUEL_EXPORT, instrument } from "../tools/meter.js";
import { DEFAULT_LIMITS, checkedPolicy, httpRefusal } from "../tools/policy.js";

const probeBytes = new Uint8Array(await readFile(new URL("guests/probe.wasm", import.meta.url)));
const sha256Bytes = new Uint8Array(await readFile(new URL("../../guest/examples/c-sha256/sha256.wasm", import.meta.url)));

/** probe loads the test guest. Its calls end soon, one way or the other. */
const probe = (policy = {}, options = {}) => loadTool(probeBytes, { policy: { ...policy, limits: { fuel: 50_000_000, ...policy.limits } }, ...options });

/** failsWith calls the tool and checks how it fails; then the tool must serve on. */
async function failsWith(tool, args, code, pattern) {
  const error = await tool.call(args).then(
    ({ result }) => assert.fail(`${JSON.stringify(args)} was answered: ${JSON.stringify(result)}`),
    (error) => error,
  );
  assert.ok(error instanceof ToolError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  assert.deepEqual((await tool.call({ do: "keep" })).result, { kept: 0 });
  return error;
}

async function withStore(t) {
  const store = await open();
  t.after(() => store.close());
  return store;
}

test("a tool describes itself and answers", async () => {
  const tool = await loadTool(sha256Bytes);
  assert.equal(tool.name, "sha256");
  assert.equal(tool.description.inputSchema.type, "object");
  const { result } = await tool.call({ text: "abc" });
  assert.equal(result.hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const error = await tool.call({}).catch((error) => error);
  assert.deepEqual([error.code, error.guestCode], ["ERR_TOOL_FAILED", "missing_argument"]);
  tool.close();
  await assert.rejects(tool.call({ text: "abc" }), { code: "ERR_TOOL_CLOSED" });
});

test("a tool is read from a file and from a response", async () => {
  const url = new URL("../../guest/examples/c-sha256/sha256.wasm", import.meta.url);
  assert.equal((await loadTool(url)).name, "sha256");
  assert.equal((await loadTool(new Response(sha256Bytes))).name, "sha256");
  await assert.rejects(loadTool(new URL("nothing.wasm", import.meta.url)), { code: "ERR_TOOL_LOAD" });
  await assert.rejects(loadTool(new Response("", { status: 404 })), { code: "ERR_TOOL_LOAD" });
});

test("a tool in Go runs, and starts from its snapshot", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ingot-tool-"));
  t.after(() => rm(dir, { recursive: true }));
  const source = fileURLToPath(new URL("../../guest/examples/go-wordcount", import.meta.url));
  await promisify(execFile)("go", ["build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", join(dir, "tool.wasm"), "."], { cwd: source, env: { ...process.env, GOOS: "wasip1", GOARCH: "wasm" } });
  const tool = await loadTool(new Uint8Array(await readFile(join(dir, "tool.wasm"))));
  assert.equal(tool.description.inputSchema.type, "object");
  const first = await tool.call({ text: "to be or not to be" });
  assert.equal(first.result.words, 6);
  assert.deepEqual((await Promise.all([tool.call({ text: "to be or not to be" }), tool.call({ text: "to be or not to be" })])).map(({ result }) => result), [first.result, first.result]);
});

test("nothing stays from one call to the next, also when memory grew", async () => {
  const tool = await probe();
  for (const args of [{ do: "keep" }, { do: "grow-once" }, { do: "keep" }]) await tool.call(args);
  assert.deepEqual((await tool.call({ do: "keep" })).result, { kept: 0 });
  assert.deepEqual((await tool.call({ do: "grow-once" })).result, { pages: 2 }, "an instance that grew is not used again");
});

test("the same call burns the same fuel", async () => {
  const tool = await loadTool(sha256Bytes);
  const { fuel } = await tool.call({ text: "a".repeat(1000) });
  assert.ok(fuel > 1000);
  for (let i = 0; i < 5; i++) assert.equal((await tool.call({ text: "a".repeat(1000) })).fuel, fuel);
  assert.ok((await tool.call({ text: "a".repeat(2000) })).fuel > fuel);
});

describe("what a tool may not do", () => {
  const hostile = {
    "spin": ["ERR_TOOL_FUEL", /loop that does not end/],
    "fill": ["ERR_TOOL_FUEL", /fuel of 50000000/],
    "recurse": ["ERR_TOOL_TRAP", /./],
    "grow": ["ERR_TOOL_MEMORY", /refused memory beyond its 67108864 bytes/],
    "trap": ["ERR_TOOL_TRAP", /unreachable/],
    "flood": ["ERR_TOOL_OUTPUT", /2000000 bytes, at most 1048576/],
    "outside": ["ERR_TOOL_ABI", /pointer 4294967280 and length 64/],
    "lie": ["ERR_TOOL_ABI", /pointer 2147483632 and length 100/],
    "nonsense": ["ERR_TOOL_ABI", /are not JSON/],
    "exit": ["ERR_TOOL_EXIT", /exit code 7/],
  };
  for (const [act, [code, pattern]] of Object.entries(hostile)) {
    test(act, async () => void (await failsWith(await probe(), { do: act }, code, pattern)));
  }

  test("files are not there", async () => {
    assert.deepEqual((await (await probe()).call({ do: "open" })).result, { errno: 52 });
  });
});

// Every grant and every limit, each with a call that shows it to hold.
const trips = {
  state: async (t) => {
    const store = await withStore(t);
    store.set("other/a", "secret");
    const tool = await probe({ state: [{ prefix: "own/", access: "read-write" }, { prefix: "shared/", access: "read" }] }, { store });
    await tool.call({ do: "state-set", key: "own/a", value: "1" });
    assert.equal(store.getString("own/a"), "1");
    for (const key of ["other/a", "", "own", "Own/a"]) await failsWith(tool, { do: "state-get", key }, "ERR_TOOL_FAILED", /grant state: \[\{prefix: /);
    await failsWith(tool, { do: "state-set", key: "shared/a", value: "1" }, "ERR_TOOL_FAILED", /access: "read-write"/);
    await failsWith(tool, { do: "state-list", key: "" }, "ERR_TOOL_FAILED", /outside what the tool may read/);
    await failsWith(tool, { do: "state-list", key: "o" }, "ERR_TOOL_FAILED", /outside what the tool may read/);
    const bounded = await probe({ state: [{ prefix: "own/", access: "read-write", bytes: 100, ops: 1 }] }, { store });
    await failsWith(bounded, { do: "state-set", key: "own/b", value: "v".repeat(200) }, "ERR_TOOL_FAILED", /more than its 100 bytes/);
    assert.equal(store.has("own/b"), false);
    const none = await probe({}, { store });
    await failsWith(none, { do: "state-get", key: "own/a" }, "ERR_TOOL_FAILED", /grant state/);
  },
  http: async () => {
    await failsWith(await probe(), { do: "http", method: "GET", url: "http://127.0.0.1/" }, "ERR_TOOL_FAILED", /grant http/);
    if (typeof WebAssembly.Suspending !== "function") {
      await assert.rejects(probe({ http: [{ host: "127.0.0.1" }] }), { code: "ERR_TOOL_UNSUPPORTED" });
    }
  },
  env: async () => {
    assert.deepEqual((await (await probe()).call({ do: "env" })).result, { env: "" });
    assert.deepEqual((await (await probe({ env: { A: "b" } })).call({ do: "env" })).result, { env: "A=b" });
  },
  clock: async () => {
    const { result } = await (await probe()).call({ do: "clock" });
    assert.deepEqual(result, { first: 1000, step: 1000 });
    const real = await (await probe({ clock: "real" })).call({ do: "clock" });
    assert.ok(real.result.first > 1.7e18);
  },
  seed: async () => {
    const numbers = async (policy) => {
      const tool = await probe(policy);
      return [(await tool.call({ do: "random" })).result.number, (await tool.call({ do: "random" })).result.number];
    };
    const [a, b] = await numbers({ seed: "s" });
    assert.equal(a, b);
    assert.notEqual(a, (await numbers({ seed: "t" }))[0]);
    const [c, d] = await numbers({});
    assert.notEqual(c, d);
  },
  "limits.moduleBytes": () => assert.rejects(probe({ limits: { moduleBytes: 1000 } }), { code: "ERR_TOOL_MODULE", message: /at most 1000/ }),
  "limits.memoryBytes": async () => {
    await assert.rejects(probe({ limits: { memoryBytes: 65536 } }), { code: "ERR_TOOL_MEMORY" });
    await failsWith(await probe({ limits: { memoryBytes: 1 << 20 } }), { do: "grow" }, "ERR_TOOL_MEMORY", /beyond its 1048576/);
  },
  "limits.tableElements": () => {
    const table = section(4, [1, 0x70, 0, 100]);
    assert.throws(() => instrument(moduleOf(table), { ...DEFAULT_LIMITS, tableElements: 99 }), { code: "ERR_TOOL_MODULE", message: /100 elements, at most 99/ });
    const { bytes } = instrument(moduleOf(section(4, [1, 0x70, 0, 100]), section(7, [1, 1, 0x74, 1, 0])), { ...DEFAULT_LIMITS, tableElements: 100 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    assert.throws(() => exports.t.grow(1), RangeError);
  },
  "limits.inputBytes": async () => failsWith(await probe({ limits: { inputBytes: 100 } }), { do: "log", value: "x".repeat(100) }, "ERR_TOOL_INPUT", /at most 100/),
  "limits.outputBytes": async () => failsWith(await probe({ limits: { outputBytes: 1000 } }), { do: "flood" }, "ERR_TOOL_OUTPUT", /at most 1000/),
  "limits.logBytes": async () => {
    const lines = [];
    const tool = await probe({ limits: { logBytes: 10 } }, { onLog: (line) => lines.push(line) });
    await tool.call({ do: "log", value: "x".repeat(100) });
    assert.deepEqual(lines.map(({ text }) => text.slice(0, 9)), ["more than"]);
  },
  "limits.logLines": async () => {
    const lines = [];
    const tool = await probe({ limits: { logLines: 3 } }, { onLog: (line) => lines.push(line) });
    await tool.call({ do: "shout" });
    assert.deepEqual(lines.map(({ text }) => text.slice(0, 9)), ["again", "again", "again", "more than"]);
  },
  "limits.fuel": async () => failsWith(await probe({ limits: { fuel: 100_000 } }), { do: "spin" }, "ERR_TOOL_FUEL", /100000/),
  "limits.httpRequests": (t) => overHttp(t, { limits: { httpRequests: 2 } }, async (ask, origin) => {
    await ask(origin);
    await ask(origin);
    assert.deepEqual(await ask(origin), [3, "the tool made its 2 requests of this call: raise limits.httpRequests"]);
  }),
  "limits.httpResponseBytes": (t) => overHttp(t, { limits: { httpResponseBytes: 1000 } }, async (ask, origin) => {
    assert.match((await ask(`${origin}/large`))[1], /more than 1000 bytes/);
  }),
};

describe("what the policy says, holds", () => {
  for (const [name, trip] of Object.entries(trips)) test(name, trip);

  test("every grant and limit has its test", () => {
    const policy = checkedPolicy();
    const all = [...Object.keys(policy).filter((name) => name !== "limits"), ...Object.keys(policy.limits).map((name) => `limits.${name}`)];
    assert.deepEqual(Object.keys(trips).sort(), all.sort());
  });

  test("what it does not know, it refuses", () => {
    const wrong = [{ files: [] }, { limits: { time: 1 } }, { limits: { fuel: 0 } }, { limits: { memoryBytes: 1 } }, { state: [{ prefix: "" }] }, { state: [{ prefix: "a", access: "all" }] },
      { state: {} }, { state: [{ prefix: "a", keys: 1 }] }, { http: [{ host: "http://a" }] }, { env: { "a=b": "c" } }, { env: { a: 1 } }, { clock: "wall" }, { seed: 1 }, null];
    for (const policy of wrong) assert.throws(() => checkedPolicy(policy), { code: "ERR_TOOL_OPTIONS" }, JSON.stringify(policy));
  });
});

test("state: versions, conditions, counters, lists", async (t) => {
  const store = await withStore(t);
  const tool = await probe({ state: [{ prefix: "p/", access: "read-write" }] }, { store });
  const ask = async (args) => (await tool.call(args)).result;
  assert.deepEqual(await ask({ do: "state-set", key: "p/a", value: "1", ifVersion: 0 }), { version: 1 });
  assert.equal((await failsWith(tool, { do: "state-set", key: "p/a", value: "2", ifVersion: 0 }, "ERR_TOOL_FAILED", /./)).guestCode, "conflict");
  assert.deepEqual(await ask({ do: "state-set", key: "p/a", value: "2", ifVersion: 1 }), { version: 2 });
  assert.deepEqual(await ask({ do: "state-get", key: "p/a" }), { value: "2" });
  assert.deepEqual(await ask({ do: "state-increment", key: "p/n", delta: -5, ttl: 60_000 }), { sum: -5 });
  assert.ok(store.getEntry("p/n").expiresAt > Date.now());
  assert.deepEqual(await ask({ do: "state-increment", key: "p/n", delta: 7, ttl: 0 }), { sum: 2 });
  assert.ok(store.getEntry("p/n").expiresAt > Date.now(), "a counter keeps its end");
  assert.equal((await failsWith(tool, { do: "state-increment", key: "p/n", delta: 1, ttl: -1 }, "ERR_TOOL_FAILED", /cannot be kept/)).guestCode, "invalid");
  assert.deepEqual(await ask({ do: "state-list", key: "p/" }), { keys: ["p/a", "p/n"] });
  assert.deepEqual(await ask({ do: "state-list", key: "p/", value: "p/a" }), { keys: ["p/n"] });
  await ask({ do: "state-delete", key: "p/a" });
  assert.equal((await failsWith(tool, { do: "state-get", key: "p/a" }, "ERR_TOOL_FAILED", /no state key/)).guestCode, "not_found");
  assert.equal((await failsWith(tool, { do: "state-delete", key: "p/a" }, "ERR_TOOL_FAILED", /no state key/)).guestCode, "not_found");
});

test("operations of one call are counted", async (t) => {
  const store = await withStore(t);
  const tool = await probe({ state: [{ prefix: "p/", access: "read-write", ops: 1 }] }, { store });
  await tool.call({ do: "state-set", key: "p/a", value: "1" });
  await tool.call({ do: "state-get", key: "p/a" });
  const host = fakeHost({ state: [{ prefix: "p/", access: "read-write", ops: 1 }] }, store);
  const { state_increment: increment } = ingotImports(host);
  host.put("p/n");
  assert.equal(increment(0, 3, 1n, 0n) >> 32n, 0n);
  assert.equal(increment(0, 3, 1n, 0n) >> 32n, 3n);
});

test("log and progress reach the caller", async () => {
  const lines = [];
  const reports = [];
  const tool = await probe({}, { onLog: (line) => lines.push(line) });
  await tool.call({ do: "log", value: "a line\u0007" });
  await tool.call({ do: "print", value: "one\ntwo" });
  await tool.call({ do: "progress" }, { onProgress: (p) => reports.push(p) });
  assert.deepEqual(lines.map(({ level, text }) => [level, text]), [["error", "a line?"], ["warn", "one"], ["warn", "two"]]);
  assert.deepEqual(reports, [{ progress: 1, total: 2, message: "half" }, { progress: 2, total: 2, message: "done" }]);
});

// HTTP in a guest needs a JavaScript that can suspend WebAssembly, which web/test
// has. What a request may reach is decided in the import, which is called here as
// such an engine would.

function fakeHost(policy, store) {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const checked = checkedPolicy(policy);
  const uses = new Map();
  const use = (grant) => uses.get(grant) ?? uses.set(grant, { ops: 0, bytes: 0 }).get(grant);
  const host = { memory, policy: checked, store, suspends: checked.http.length > 0, call: { reply: new Uint8Array(0), requests: 0, signal: new AbortController().signal, use } };
  host.put = (text) => new TextEncoder().encodeInto(text, new Uint8Array(memory.buffer)).written;
  host.taken = () => new TextDecoder().decode(host.call.reply);
  return host;
}

async function overHttp(t, policy, body) {
  const suspending = WebAssembly.Suspending;
  WebAssembly.Suspending = function (f) { return f; };
  const server = createServer((request, response) => {
    if (request.url === "/other") response.writeHead(302, { location: `http://localhost:${server.address().port}/headers` }).end();
    else if (request.url === "/see") response.writeHead(303, { location: "/headers" }).end();
    else if (request.url === "/headers") response.end(`${request.method} ${request.headers["x-key"] ?? "none"} ${request.headers.accept}`);
    else if (request.url === "/away") response.writeHead(302, { location: "http://localhost:1/" }).end();
    else if (request.url === "/around") response.writeHead(302, { location: "/around" }).end();
    else if (request.url === "/silent") return;
    else response.end(request.url === "/large" ? "x".repeat(5000) : `${request.method} ${request.headers["x-a"] ?? ""}`);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    WebAssembly.Suspending = suspending;
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  const host = fakeHost({ http: [{ host: `127.0.0.1:${port}`, methods: ["GET", "POST"] }], ...policy });
  const { http_request: request } = ingotImports(host);
  const ask = async (url, head = {}) => {
    const packed = await request(0, host.put(JSON.stringify({ method: "GET", url, ...head })), 0, 0);
    const code = Number(packed >> 32n);
    return [code, code === 0 ? host.taken().replace(/^[^{]*\{.*?\}\}/s, "") : host.taken()];
  };
  await body(ask, `http://127.0.0.1:${port}`, host);
}

test("a redirect takes nothing along that is for another host", (t) => overHttp(t, {}, async (ask, origin, host) => {
  host.policy.http.push({ host: origin.replace("http://127.0.0.1", "localhost"), methods: ["GET"] });
  const headers = { "x-key": "secret", accept: "a/b" };
  assert.deepEqual(await ask(`${origin}/other`, { headers }), [0, "GET none a/b"]);
  assert.deepEqual(await ask(`${origin}/see`, { headers, method: "POST" }), [0, "GET secret a/b"]);
}));

test("the hosts of a pattern", () => {
  const fits = (host, url) => httpRefusal(checkedPolicy({ http: [{ host }] }).http, new URL(url), "GET") === "";
  for (const [host, url, want] of [
    ["example.org", "https://example.org/x", true], ["example.org", "http://example.org/", true], ["example.org", "https://example.org:8443/", false],
    ["example.org:8443", "https://example.org:8443/", true], ["example.org:8443", "https://example.org/", false], ["example.org:443", "https://example.org/", true],
    ["example.org:443", "http://example.org/", false], ["example.org", "https://www.example.org/", false], ["example.org", "https://badexample.org/", false],
    ["*.example.org", "https://a.b.example.org/", true], ["*.example.org", "https://example.org/", false], ["*.example.org", "https://a.example.org:8443/", false],
    ["*.example.org:8443", "https://a.example.org:8443/", true], ["*.example.org", "https://aexample.org/", false], ["[::1]:80", "http://[::1]/", true], ["[::1]", "http://[::1]:81/", false],
  ]) assert.equal(fits(host, url), want, `${host} ${url}`);
});

test("a call that nobody waits for does not begin", async () => {
  const tool = await probe();
  await assert.rejects(tool.call({ do: "keep" }, { signal: AbortSignal.abort() }), { code: "ERR_TOOL_CANCELED" });
});

test("a request goes where it may, and nowhere else", (t) => overHttp(t, {}, async (ask, origin, host) => {
  assert.deepEqual(await ask(origin, { headers: { "x-a": "b" } }), [0, "GET b"]);
  for (const [url, pattern] of [
    [`${origin}/away`, /may not reach localhost:1/],
    [`${origin}/around`, /redirects more than 5 times/],
    [origin.replace("127.0.0.1", "localhost"), /may not reach localhost/],
    [origin.replace(/:\d+$/, ":1"), /may not reach 127.0.0.1:1/],
    ["http://user:pass@127.0.0.1/", /user name or password/],
    ["file:///etc/passwd", /only http and https/],
    ["nonsense", /is no URL/],
  ]) assert.match((await ask(url))[1], pattern);
  assert.match((await ask(origin, { method: "DELETE" }))[1], /may not use DELETE/);
  host.call.requests = 0;
  assert.match((await ask(origin, { headers: { Host: "a" } }))[1], /header Host is the host's to set/);
  assert.deepEqual((await ask(`${origin}/silent`, { timeoutMillis: 50 }))[0], 7);
}));

test("a start function has fuel too, and no more than a call", async () => {
  const counting = (loops) => moduleOf(
    section(1, [1, 0x60, 0, 0]),
    section(3, [1, 0]),
    section(5, [1, 0, 1]),
    section(7, [1, 1, 0x6d, 2, 0]),
    section(8, [0]),
    section(10, [1, 20, 1, 1, 0x7f, 0x41, loops, 0x21, 0, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b]),
  );
  const { bytes } = instrument(counting(63), DEFAULT_LIMITS);
  const { exports } = await WebAssembly.instantiate(bytes).then(({ instance }) => instance);
  assert.ok(exports[FUEL_EXPORT].value < BigInt(DEFAULT_LIMITS.fuel));
  await assert.rejects(loadTool(counting(0), { policy: { limits: { fuel: 1000 } } }), { code: "ERR_TOOL_TRAP", message: /cannot be started/ });
});

describe("files that are no tools", () => {
  const cases = {
    "nothing": [new Uint8Array(0), "ERR_TOOL_MODULE"],
    "text": [new TextEncoder().encode("hello, I am no module"), "ERR_TOOL_MODULE"],
    "half a tool": [probeBytes.slice(0, probeBytes.length / 2), "ERR_TOOL_MODULE"],
    "no exports": [moduleOf(), "ERR_TOOL_ABI"],
    "an unknown instruction": [moduleOf(section(1, [1, 0x60, 0, 0]), section(3, [1, 0]), section(10, [1, 4, 0, 0xfe, 0, 0x0b])), "ERR_TOOL_MODULE"],
    "a foreign import": [moduleOf(section(1, [1, 0x60, 0, 0]), section(2, [1, 1, 0x61, 1, 0x62, 0, 0])), "ERR_TOOL_ABI"],
    "an imported memory": [moduleOf(section(2, [1, 1, 0x61, 1, 0x62, 2, 0, 1])), "ERR_TOOL_ABI"],
    "sections out of order": [moduleOf(section(3, [0]), section(1, [0])), "ERR_TOOL_MODULE"],
    "a reserved export": [moduleOf(section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]), section(7, [1, 10, ...new TextEncoder().encode(FUEL_EXPORT), 3, 0])), "ERR_TOOL_MODULE"],
  };
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    test(name, async () => assert.rejects(loadTool(bytes), (error) => error instanceof ToolError && error.code === code || assert.fail(`${error.code}: ${error.message}`)));
  }
  test("no bytes at all", async () => assert.rejects(loadTool(7), { code: "ERR_TOOL_OPTIONS" }));

  test("damaged ones never do more than fail", async () => {
    let seed = 12345;
    const next = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
    let loaded = 0;
    for (let i = 0; i < 300; i++) {
      const bytes = sha256Bytes.slice();
      for (let flips = 1 + next(3); flips > 0; flips--) bytes[8 + next(bytes.length - 8)] ^= 1 << next(8);
      try {
        const tool = await loadTool(bytes, { policy: { limits: { fuel: 1_000_000 } } });
        loaded++;
        await tool.call({ text: "abc" });
      } catch (error) {
        assert.ok(error instanceof ToolError, `round ${i}: ${error.stack}`);
      }
    }
    assert.ok(loaded > 0, "some damage is harmless");
  });
});

// A module by hand: sections of a module, for what no compiler writes.
function section(id, content) {
  return [id, content.length, ...content];
}

function moduleOf(...sections) {
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat());
}

test("the types name what the modules throw and export", async () => {
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const declarations = await readFile(here("../tools.d.ts"), "utf8");
  const sources = await Promise.all(["errors", "imports", "index", "instructions", "meter", "policy", "wasi"].map((name) => readFile(here(`../tools/${name}.js`), "utf8")));
  const thrown = new Set(sources.join("\n").match(/(?<=")ERR_TOOL_[A-Z_]+(?=")/g));
  const declared = new Set(declarations.match(/(?<=")ERR_TOOL_[A-Z_]+(?=")/g));
  assert.deepEqual([...declared].sort(), [...thrown].sort());
  const limits = /interface ToolLimits \{([\s\S]*?)\n\}/.exec(declarations)[1].match(/\w+(?=\?:)/g);
  assert.deepEqual(limits.sort(), Object.keys(DEFAULT_LIMITS).sort());
});
