// A reader of snapshots, written from docs/FORMAT.md alone: if the document and
// the engine part ways, its tests fail. It shares no code with the engine.
import { xxh3 } from "./xxh3.mjs";

const MAGIC = "INGOTSNP";
const HEADER_BYTES = 32;
const BLOCK_HEADER_BYTES = 24;
const KIND_ENTRIES = 1;
const KIND_END = 2;

/**
 * readSnapshot returns what a snapshot holds, in the order of the file.
 * @param {Uint8Array} bytes
 * @returns {{ version: bigint, entries: { key: Uint8Array, value: Uint8Array, version: bigint, expiresAt: bigint }[] }}
 */
export function readSnapshot(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = readHeader(bytes, view);
  const entries = [];
  const keys = new Set();
  let at = HEADER_BYTES;
  for (let number = 0; ; number++) {
    const { kind, payload } = readBlock(bytes, view, at, number);
    at += BLOCK_HEADER_BYTES + payload.length;
    if (kind === KIND_ENTRIES) {
      for (const entry of readEntries(payload, version)) {
        const name = entry.key.join();
        check(!keys.has(name), "a key stands twice");
        keys.add(name);
        entries.push(entry);
      }
      continue;
    }
    const end = new Fields(payload);
    check(end.uvarint() === BigInt(entries.length), "the end block has another number of entries");
    check(end.uvarint() === version && end.done(), "the end block has another version, or more");
    check(at === bytes.length, "bytes follow the end block");
    return { version, entries };
  }
}

function readHeader(bytes, view) {
  check(bytes.length >= HEADER_BYTES, "the file is shorter than its header");
  check(new TextDecoder().decode(bytes.subarray(0, 8)) === MAGIC, "this is no snapshot");
  check(view.getUint16(8, true) === 1, "another format version");
  check(view.getBigUint64(24, true) === xxh3(bytes.subarray(0, 24)), "the header's checksum is wrong");
  check(view.getUint16(10, true) === 0, "unknown flags");
  check(view.getUint32(12, true) === HEADER_BYTES, "another header length");
  return view.getBigUint64(16, true);
}

function readBlock(bytes, view, at, number) {
  check(at + BLOCK_HEADER_BYTES <= bytes.length, "the file ends before the end block");
  const size = view.getUint32(at, true);
  const start = at + BLOCK_HEADER_BYTES;
  check(start + size <= bytes.length, "the file ends inside a block");
  const payload = bytes.subarray(start, start + size);
  const sum = xxh3(payload, xxh3(bytes.subarray(at, at + 16)));
  check(view.getBigUint64(at + 16, true) === sum, `the checksum of block ${number} is wrong`);
  check(view.getUint32(at + 4, true) === number, "a block is out of order");
  const kind = view.getUint8(at + 8);
  check(kind === KIND_ENTRIES || kind === KIND_END, "unknown kind of block");
  check(view.getUint8(at + 9) === 0, "unknown codec");
  return { kind, payload };
}

function* readEntries(payload, storeVersion) {
  for (const fields = new Fields(payload); !fields.done(); ) {
    const keyBytes = Number(fields.uvarint());
    const valueBytes = Number(fields.uvarint());
    const version = fields.uvarint();
    const expiresAt = fields.uvarint();
    check(keyBytes >= 1 && version >= 1n && version <= storeVersion, "an entry is out of range");
    yield { key: fields.bytes(keyBytes), value: fields.bytes(valueBytes), version, expiresAt };
  }
}

// Fields takes a payload apart.
class Fields {
  #rest;

  constructor(payload) {
    this.#rest = payload;
  }

  done() {
    return this.#rest.length === 0;
  }

  bytes(size) {
    check(size <= this.#rest.length, "an entry reaches beyond its block");
    const part = this.#rest.slice(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }

  uvarint() {
    let number = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const [byte] = this.bytes(1);
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    throw new Error("a number has more than 64 bits");
  }
}

function check(holds, message) {
  if (!holds) throw new Error(message);
}
