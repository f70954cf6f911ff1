// The directory of a store as docs/FORMAT.md tells it, against what the engine writes.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readStore } from "./log-reader.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const golden = join(root, "engine", "testdata", "store-v1");
const kills = Number(process.env.INGOT_KILLS ?? 8);
const secrets = new Map([[1n, new Uint8Array(32).fill(1)]]);

const filesOf = (dir) => new Map(readdirSync(dir).map((name) => [name, new Uint8Array(readFileSync(join(dir, name)))]));

/** lines is what `ingot state dump` would write of the entries. */
function lines({ entries }) {
  const isText = (b) => Buffer.from(b.toString()).equals(b);
  return [...entries].map(([name, { value, version, end }]) => {
    const key = Buffer.from(name, "latin1");
    const bytes = Buffer.from(value);
    const line = {};
    line[isText(key) ? "key" : "key_base64"] = isText(key) ? key.toString() : key.toString("base64");
    if (bytes.length > 0) line[isText(bytes) ? "value" : "value_base64"] = isText(bytes) ? bytes.toString() : bytes.toString("base64");
    line.version = Number(version);
    if (end !== 0n) line.expires_at = Number(end);
    return [key, JSON.stringify(line)];
  }).sort(([a], [b]) => Buffer.compare(a, b)).map(([, line]) => line);
}

for (const name of ["plain", "compressed", "sealed"]) {
  test(`the golden directory ${name} reads as the engine reads it`, () => {
    const store = readStore(filesOf(join(golden, name)), secrets);
    const want = readFileSync(join(golden, "dump.jsonl"), "utf8").trimEnd().split("\n");
    assert.deepEqual(lines(store), want);
    assert.equal(store.closed, false);
  });
}

test("a flipped bit is refused, or leaves what was there before", () => {
  const whole = filesOf(join(golden, "plain"));
  let refused = 0, tried = 0;
  for (const [name, bytes] of whole) {
    for (let i = 0; i < bytes.length; i += 37, tried++) {
      const flipped = bytes.slice();
      flipped[i] ^= 0x10;
      try {
        readStore(new Map(whole).set(name, flipped), secrets);
      } catch {
        refused++;
      }
    }
  }
  assert.ok(refused > tried / 2, `${refused} of ${tried}`);
});

// The referee keeps what the server answered, kills it, and reads its files itself.
test("what a killed server answered is in its directory", async () => {
  const dir = mkdtempSync(join(tmpdir(), "ingot-log-"));
  try {
    const binary = join(dir, "mcp-stdio");
    execFileSync("go", ["build", "-o", binary, "./cmd/mcp-stdio"], { cwd: root, stdio: "inherit" });
    const data = join(dir, "data");
    const answered = new Map();
    for (let round = 0; round < kills; round++) await writeUntilKilled(binary, data, answered, round);
    const store = readStore(filesOf(data));
    for (const [key, [value, version]] of answered) {
      const entry = store.entries.get(key);
      assert.ok(entry && entry.version >= version, `${key} is at ${entry?.version} and ${version} was answered`);
      if (entry.version === version) assert.equal(Buffer.from(entry.value).toString(), value);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

async function writeUntilKilled(binary, data, answered, round) {
  const server = spawn(binary, ["--data", data], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, INGOT_MEMORY: "false" } });
  server.stdin.on("error", () => {}); // it was killed
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const send = (message) => server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  send({ id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "referee", version: "1" } } });
  const sent = new Map();
  for (let id = 1; id <= 2000; id++) {
    const [key, value] = [`key-${id % 100}`, `round ${round}, call ${id}`];
    sent.set(id, [key, value]);
    send({ id, method: "tools/call", params: { name: "state_set", arguments: { key, value } } });
  }
  let answers = 0;
  for await (const line of createInterface({ input: server.stdout })) {
    let answer;
    try {
      answer = JSON.parse(line);
    } catch {
      break; // cut off by the kill
    }
    if (!sent.has(answer.id)) continue;
    const [key, value] = sent.get(answer.id);
    const version = BigInt(answer.result.structuredContent.version);
    if (!answered.has(key) || answered.get(key)[1] < version) answered.set(key, [value, version]);
    if (++answers === 100 + 50 * (round % 16)) server.kill("SIGKILL");
  }
  assert.ok(answers >= 100 + 50 * round, `it answered ${answers}`);
  await ended;
}
