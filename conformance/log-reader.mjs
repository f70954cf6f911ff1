// A reader of the directory of a store, written from docs/FORMAT.md alone: if the
// document and the engine part ways, its tests fail. It shares no code with the engine.
import { createDecipheriv, hkdfSync } from "node:crypto";
import { Fields } from "./fields.mjs";
import { unsnappy } from "./snappy.mjs";
import { xxh3 } from "./xxh3.mjs";

/** readStore gives what a store holds, from its files by name and its secrets by key id. */
export function readStore(files, secrets = new Map()) {
  const numbers = (prefix) => [...files.keys()]
    .filter((name) => new RegExp(`^${prefix}-[0-9a-f]{16}\\.ingot$`).test(name))
    .map((name) => parseInt(name.slice(prefix.length + 1), 16)).sort((a, b) => a - b);
  const open = (prefix, number) => {
    const name = `${prefix}-${number.toString(16).padStart(16, "0")}.ingot`;
    check(files.has(name), `${name} is missing`);
    return new BlockFile(name, files.get(name), prefix === "log" ? ["INGOTLOG", 1] : ["INGOTSNP", 2], BigInt(number), secrets);
  };
  const store = { entries: new Map(), version: 0n, time: 0n, closed: false };
  const base = numbers("snapshot").at(-1) ?? 0;
  const first = Math.max(base, 1);
  const needs = base > 0 ? readSnapshot(open("snapshot", base), store) : [0n, 0n];
  const segments = numbers("log").filter((number) => number >= first).map((_, i) => open("log", first + i));
  let reached = [0n, 0];
  for (const [i, file] of segments.entries()) {
    const begin = file.at(96);
    if (!begin || begin.kind !== 2) break;
    saw(store, file, begin);
    const end = readSegment(file, begin.next, store);
    reached = [file.number, end];
    const next = segments[i + 1]?.at(96);
    if (!next) break;
    const before = Number(new Fields(next.payload).uvarint());
    check(before === end, `${file.name} is damaged at ${end}: the log went on to ${before}`);
  }
  check(needs[0] < reached[0] || (needs[0] === reached[0] && needs[1] <= BigInt(reached[1])), "the log ends before the snapshot's end");
  for (const [key, entry] of store.entries) if (entry.end !== 0n && entry.end <= store.time) store.entries.delete(key);
  return store;
}

function saw(store, file, block) {
  for (const time of [file.time, block.time]) if (time > store.time) store.time = time;
}

function readSnapshot(file, store) {
  for (let block = file.must(96), count = 0n; ; block = file.must(block.next)) {
    saw(store, file, block);
    if (block.kind === 1) count += BigInt(apply(store, block.payload));
    if (block.kind === 1) continue;
    const fields = new Fields(block.payload);
    check(block.kind === 3 && fields.uvarint() === count && block.next === file.bytes.length, `${file.name}: its end is wrong`);
    store.version = fields.uvarint();
    return [fields.uvarint(), fields.uvarint()];
  }
}

/** readSegment applies whole changes and returns where they end. */
function readSegment(file, at, store) {
  for (;;) {
    const change = [];
    let block, next = at;
    do {
      block = file.at(next);
      if (!block) {
        const used = file.bytes.findLastIndex((byte) => byte !== 0); // zeros behind it are room
        for (let later = at; later < used; later += 8) {
          const proof = file.at(later);
          check(!proof || proof.durable <= at, `${file.name} is damaged at ${at}`);
        }
        return at;
      }
      change.push(block);
      next = block.next;
    } while (block.more);
    for (const { payload } of change) apply(store, payload);
    store.closed = block.kind === 3;
    saw(store, file, block);
    at = next;
  }
}

/** apply makes the changes of a payload and returns how many there are. */
function apply(store, payload) {
  let count = 0;
  for (const f = new Fields(payload); !f.done(); count++) {
    const kind = f.byte();
    check(kind >= 1 && kind <= 6, `unknown kind of record ${kind}`);
    const keyBytes = kind === 6 ? 0 : Number(f.uvarint());
    const valueBytes = kind <= 2 ? Number(f.uvarint()) : 0;
    const version = f.uvarint();
    const end = kind === 2 || kind === 4 ? f.uvarint() : 0n;
    const key = Buffer.from(f.bytes(keyBytes)).toString("latin1"); // a string per byte string
    const value = f.bytes(valueBytes);
    if (version > store.version) store.version = version;
    const old = store.entries.get(key);
    if (kind === 5) {
      for (const [name, entry] of store.entries) if (name.startsWith(key) && entry.version <= version) store.entries.delete(name);
    } else if (kind !== 6 && !(old && old.version >= version)) {
      if (kind <= 2) store.entries.set(key, { value, version, end });
      else if (kind === 3) store.entries.delete(key);
      else if (old) store.entries.set(key, { value: old.value, version, end });
    }
  }
  return count;
}

class BlockFile {
  constructor(name, bytes, [magic, format], number, secrets) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    check(bytes.length >= 96 && Buffer.from(bytes.subarray(0, 8)).toString() === magic, `${name} is none of a store`);
    check(view.getUint16(8, true) === format && view.getUint16(10, true) <= 3, `${name} has another format`);
    this.sum = xxh3(bytes.subarray(0, 88));
    check(this.sum === view.getBigUint64(88, true) && view.getBigUint64(24, true) === number, `${name}: its header is damaged`);
    Object.assign(this, { name, bytes, view, number, time: view.getBigUint64(40, true) });
    if ((view.getUint16(10, true) & 1) === 0) return;
    const secret = secrets.get(view.getBigUint64(48, true));
    check(secret, `${name}: its key is missing`);
    this.key = Buffer.from(hkdfSync("sha256", secret, bytes.subarray(56, 72), "ingot file key v1", 32));
  }

  must = (offset) => this.at(offset) ?? check(false, `${this.name} is damaged at ${offset}`);

  /** at is the whole block at an offset, or undefined. */
  at(offset) {
    const { bytes, view } = this;
    if (offset + 32 > bytes.length) return undefined;
    const seed = BigInt.asUintN(64, this.sum + BigInt(offset));
    if (Number(xxh3(bytes.subarray(offset, offset + 20), seed) & 0xffffffffn) !== view.getUint32(offset + 20, true)) return undefined;
    const end = offset + 32 + view.getUint32(offset, true);
    let payload = bytes.subarray(offset + 32, end);
    if (end > bytes.length || xxh3(payload, xxh3(bytes.subarray(offset, offset + 24), seed)) !== view.getBigUint64(offset + 24, true)) return undefined;
    const [kind, codec, flags] = bytes.subarray(offset + 4, offset + 7);
    check(kind >= 1 && kind <= 3 && codec <= 1 && flags <= 1, `${this.name}: unknown kind of block at ${offset}`);
    if (this.key && kind !== 2) payload = this.#unseal(payload, offset);
    if (codec === 1) payload = unsnappy(payload);
    return { kind, payload, more: flags === 1, time: view.getBigUint64(offset + 8, true), durable: view.getUint32(offset + 16, true) * 8, next: end + (-end & 7) };
  }

  #unseal(sealed, offset) {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64LE(BigInt(offset), 4);
    const cipher = createDecipheriv("aes-256-gcm", this.key, nonce);
    cipher.setAAD(this.bytes.subarray(offset, offset + 20));
    cipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
  }
}

function check(holds, message) {
  if (!holds) throw new Error(message);
}
