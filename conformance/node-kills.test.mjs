// Processes of Node that are killed while they write to a store with persist "fs".
// The referee keeps what they said was durable, and reads the directory with a reader
// that shares no code with the engine. INGOT_KILLS says how often; 24 by itself.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readStore } from "./log-reader.mjs";

const kills = Number(process.env.INGOT_KILLS ?? 24);
const writer = fileURLToPath(new URL("node-writer.mjs", import.meta.url));

/** random gives the same numbers for the same seed (mulberry32). */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** reads is what the directory holds: text by key. */
function reads(dir) {
  const files = new Map(readdirSync(dir).map((name) => [name, new Uint8Array(readFileSync(join(dir, name)))]));
  const store = readStore(files);
  return { found: new Map([...store.entries].map(([key, { value }]) => [key, Buffer.from(value).toString()])), version: store.version };
}

test("what a killed process of Node said to be durable is in its directory", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ingot-node-kills-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let [acknowledged, later, version] = [0, 0, 0n];
  for (let round = 0; round < kills; round++) {
    const sync = ["group", "always", "worker"][round % 3];
    const rng = random(round);
    const killAt = 1 + rng([3, 40, 300][rng(3)]);
    const child = spawn(process.execPath, [writer, dir, sync, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = once(child, "exit");
    let last = -1; // the last step that was said to be durable
    let started;
    for await (const line of createInterface({ input: child.stdout })) {
      const [word, ...numbers] = line.split(" ");
      if (word === "from") {
        started = JSON.parse(line.slice(5));
        continue;
      }
      assert.equal(word, "durable");
      last = Number(numbers[0]);
      acknowledged++;
      if (last >= killAt) child.kill("SIGKILL");
    }
    const [status, signal] = await gone;
    assert.equal(signal, "SIGKILL", `round ${round}: it ended by itself with status ${status}`);
    const left = reads(dir);
    // Steps of a round are numbered, and each batch writes its number in two keys.
    const step = Number(left.found.get("a") ?? -1);
    assert.equal(left.found.get("b"), left.found.get("a"), `round ${round}: half of a batch`);
    assert.ok(started === null || step >= Number(started.a), `round ${round}: older than what it began with`);
    const inRound = left.found.get("round") === String(round);
    assert.ok(inRound, `round ${round}: its first step is lost`);
    assert.ok(step >= last, `round ${round} (${sync}): step ${last} was durable and ${step} is there`);
    for (let i = Math.max(0, last - 50); i <= last; i++) assert.equal(left.found.get(`k${round % 5}/${i}`), `${round} ${i}`, `round ${round}, step ${i}`);
    assert.equal(left.found.get("count"), String(step + 1), "each step counted once");
    later += step - last;
    assert.ok(left.version >= version, "versions never go back");
    version = left.version;
  }
  t.diagnostic(`${kills} kills, ${acknowledged} acknowledgements, 0 lost; ${later} steps came to be that were not acknowledged`);
});
