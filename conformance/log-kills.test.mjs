// Servers that are killed while real clients write to them: the referee keeps what was
// answered, reads the directory with a reader that shares no code with the engine, and
// compares that with what the next server says. INGOT_KILLS says how often; 8 by itself.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client as Client2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { readStore } from "./log-reader.mjs";

const kills = Number(process.env.INGOT_KILLS ?? 8);
const root = fileURLToPath(new URL("..", import.meta.url));
const workers = 16; // calls in flight
const keysEach = 6;

/** The clients, each a way to start a server: its pid, a call, and when it has gone. */
const clients = {
  "TypeScript SDK 1": (...args) => sdk(new Client1({ name: "referee", version: "1" }), Stdio1, ...args),
  "TypeScript SDK 2, 2025-11-25": (...args) => sdk(new Client2({ name: "referee", version: "1" }, { versionNegotiation: { mode: "legacy" } }), Stdio2, ...args),
  "TypeScript SDK 2, 2026-07-28": (...args) => sdk(new Client2({ name: "referee", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } }), Stdio2, ...args),
  "raw frames": raw,
};

async function sdk(client, Transport, command, args) {
  const transport = new Transport({ command, args, stderr: "inherit" });
  const gone = new Promise((resolve) => { client.onclose = resolve; });
  await client.connect(transport);
  return { pid: transport.pid, gone, call: async (name, input) => (await client.callTool({ name, arguments: input })).structuredContent };
}

async function raw(command, args) {
  const server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  server.stdin.on("error", () => {}); // it was killed
  const waiting = new Map();
  const ask = (method, params) => new Promise((resolve, reject) => {
    waiting.set(waiting.size, { resolve, reject });
    server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: waiting.size - 1, method, params })}\n`);
  });
  const answers = (async () => {
    for await (const line of createInterface({ input: server.stdout })) {
      let answer;
      try {
        answer = JSON.parse(line);
      } catch {
        break; // cut off by the kill
      }
      waiting.get(answer.id).resolve(answer.result);
    }
    for (const { reject } of waiting.values()) reject(new Error("the server has gone"));
  })();
  const gone = Promise.all([answers, once(server, "exit")]);
  await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "referee", version: "1" } });
  return { pid: server.pid, gone, call: async (name, input) => (await ask("tools/call", { name, arguments: input })).structuredContent };
}

/** random gives the same numbers for the same seed (mulberry32). */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** draw is a worker's next write: a tool's name and input, and what its keys hold then. */
function draw(rng, id, before, text) {
  const key = () => `${id}/${rng(keysEach)}`;
  const after = new Map(before);
  const value = () => `${text} ${"v".repeat([0, 20, 700][rng(3)])}`;
  const kind = rng(10);
  if (kind === 0) {
    const input = { key: key() };
    after.delete(input.key);
    return { name: "state_delete", input, after };
  }
  if (kind === 1) {
    const input = { key: `${id}/counter`, delta: 1 + rng(9) };
    after.set(input.key, String(Number(before.get(input.key) ?? 0) + input.delta));
    return { name: "state_increment", input, after };
  }
  const entries = Array.from({ length: kind === 2 ? 4 : 1 }, (_, i) => ({ key: kind === 2 ? `${id}/${i}` : key(), value: value() }));
  for (const entry of entries) after.set(entry.key, entry.value);
  return kind === 2 ? { name: "state_batch_set", input: { entries }, after } : { name: "state_set", input: entries[0], after };
}

/** write has a worker write until the server goes. It keeps what was answered, and the write after it. */
async function write(server, worker, rng, text, answered) {
  for (let i = 0; ; i++) {
    const next = draw(rng, worker.id, worker.answered, `${text}, write ${i}`);
    worker.underWay = next.after;
    let result;
    try {
      result = await server.call(next.name, next.input);
    } catch {
      return; // the server has gone
    }
    assert.ok(result, `${next.name} was refused`);
    worker.answered = next.after;
    answered();
  }
}

/** reads is what the directory holds, by worker. */
function reads(data) {
  const store = readStore(new Map(readdirSync(data).map((name) => [name, new Uint8Array(readFileSync(join(data, name)))])));
  const found = Array.from({ length: workers }, () => new Map());
  for (const [name, { value }] of store.entries) found[parseInt(name)].set(name, Buffer.from(value).toString());
  return { found, version: store.version };
}

const same = (a, b) => a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);

/** serves fails unless the server says of every key what the worker has for it. */
async function serves(server, all) {
  for (const worker of all) {
    const keys = [`${worker.id}/counter`, ...Array.from({ length: keysEach }, (_, i) => `${worker.id}/${i}`)];
    const { entries } = await server.call("state_batch_get", { keys });
    assert.deepEqual(new Map(entries.filter((e) => e.found).map((e) => [e.key, e.value])), new Map(keys.filter((k) => worker.answered.has(k)).map((k) => [k, worker.answered.get(k)])));
  }
}

test("what a killed server answered is in its directory", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ingot-kills-"));
  try {
    const [binary, data] = [join(dir, "mcp-stdio"), join(dir, "data")];
    execFileSync("go", ["build", "-o", binary, "./cmd/mcp-stdio"], { cwd: root, stdio: "inherit" });
    const all = Array.from({ length: workers }, (_, id) => ({ id, answered: new Map(), underWay: new Map() }));
    let [acknowledged, unanswered, version] = [0, 0, 0n];
    for (let round = 0; round < kills; round++) {
      const [name, start] = Object.entries(clients)[round % Object.keys(clients).length];
      const rng = random(round);
      const server = await start(binary, ["--data", data]);
      await serves(server, all);
      let [count, killAt] = [0, 1 + rng([5, 100, 800][rng(3)])];
      const answered = () => {
        if (++count === killAt) process.kill(server.pid, "SIGKILL");
      };
      await Promise.all(all.map((worker) => write(server, worker, random(round * workers + worker.id), `round ${round}`, answered)));
      await server.gone;
      assert.ok(count >= killAt, `${name} had ${count} answers`);
      acknowledged += count;
      const left = reads(data);
      for (const worker of all) {
        const found = left.found[worker.id];
        const whole = same(found, worker.answered);
        assert.ok(whole || same(found, worker.underWay), `round ${round} by ${name}: worker ${worker.id} has ${JSON.stringify([...found])} and was answered ${JSON.stringify([...worker.answered])}`);
        unanswered += !whole;
        worker.answered = found;
      }
      assert.ok(left.version >= version, "versions never go back");
      version = left.version;
    }
    t.diagnostic(`${kills} kills, ${acknowledged} writes acknowledged, 0 lost; ${unanswered} came to be that were not answered`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
