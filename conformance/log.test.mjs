// The directory of a store as docs/FORMAT.md tells it, against what the engine writes.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readStore } from "./log-reader.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const golden = join(root, "engine", "testdata", "store-v1");
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
