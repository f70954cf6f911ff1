// The snapshot format as docs/FORMAT.md tells it, against what the engine writes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { open } from "../js/index.js";
import { readSnapshot } from "./snapshot-reader.mjs";
import { xxh3 } from "./xxh3.mjs";

const read = (path) => readFile(new URL(path, import.meta.url));
const text = (bytes) => Buffer.from(bytes).toString();

test("the oracle's XXH3 gives the reference's answers", async () => {
  const golden = await read("../hash/testdata/xxh3.golden");
  const cases = text(golden).split("\n").filter((line) => line.startsWith("one "));
  assert.ok(cases.length > 100);
  const input = referenceInput(70_000);
  for (const line of cases) {
    const [, seed, length, sum] = line.split(" ");
    if (Number(length) > input.length) continue; // too long for an oracle in BigInts
    assert.equal(xxh3(input.subarray(0, Number(length)), BigInt(`0x${seed}`)), BigInt(`0x${sum}`), line);
  }
});

// The generator of the reference's own sanity check, as hash/testdata/golden.c has it.
function referenceInput(size) {
  const input = new Uint8Array(size);
  let state = 2654435761n;
  for (let i = 0; i < size; i++) {
    input[i] = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 11400714785074694797n);
  }
  return input;
}

test("the golden snapshot reads as the document says", async () => {
  const { version, entries } = readSnapshot(new Uint8Array(await read("testdata/snapshot-v1.bin")));
  assert.equal(version, 9n);
  const found = entries.map(({ key, value, ...meta }) => ({ key: Buffer.from(key).toString("latin1"), value: Buffer.from(value).toString("latin1"), ...meta }));
  const latin1 = (string) => Buffer.from(string).toString("latin1");
  assert.deepEqual(found.sort((a, b) => (a.key < b.key ? -1 : 1)), [
    { key: "a", value: "1", version: 2n, expiresAt: 0n },
    { key: "counter", value: "-42", version: 8n, expiresAt: 0n },
    { key: "empty", value: "", version: 3n, expiresAt: 0n },
    { key: "ends", value: "in 2100", version: 6n, expiresAt: 4102444800000n },
    { key: latin1("grüße"), value: latin1("日本"), version: 4n, expiresAt: 0n },
    { key: "long", value: "z".repeat(2500), version: 7n, expiresAt: 0n },
    { key: "\xff\0", value: "\0\xff\x80", version: 5n, expiresAt: 0n },
  ]);
});

test("the reader reads what the engine writes, over many blocks", async () => {
  const store = await open({ now: () => 5000 });
  const wanted = new Map();
  for (let i = 0; i < 400; i++) wanted.set(`key ${i}`, { value: `value ${i} `.repeat(i % 60), ttl: i % 3 === 0 ? 1000 + i : 0 });
  wanted.set("long", { value: "x".repeat(150_000), ttl: 0 });
  for (const [key, { value, ttl }] of wanted) store.set(key, value, { ttl });
  const { version, entries } = readSnapshot(await store.snapshot());
  assert.equal(version, BigInt(wanted.size));
  assert.equal(entries.length, wanted.size);
  for (const entry of entries) {
    const { value, ttl } = wanted.get(text(entry.key));
    assert.equal(text(entry.value), value);
    assert.equal(entry.expiresAt, ttl === 0 ? 0n : BigInt(5000 + ttl));
    assert.equal(entry.version, BigInt(store.getEntry(entry.key).version));
  }
  await store.close();
});

test("reader and engine refuse the same damage", async () => {
  const golden = new Uint8Array(await read("testdata/snapshot-v1.bin"));
  const store = await open();
  store.set("mine", "v");
  const places = [...Array(140).keys(), golden.length - 27, golden.length - 20, golden.length - 2, golden.length - 1];
  const damaged = places.map((at) => golden.with(at, golden[at] ^ 0x10));
  damaged.push(golden.subarray(0, -1), golden.subarray(0, 31), new Uint8Array(0), Uint8Array.from([...golden, 0]));
  for (const bytes of damaged) {
    assert.throws(() => readSnapshot(bytes));
    await assert.rejects(store.restore(bytes), { code: "ERR_SNAPSHOT" });
  }
  assert.deepEqual([...store.keys()], ["mine"]);
  await store.close();
});
