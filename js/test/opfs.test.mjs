// The back end of persist "opfs" on a simulated disk that loses power: what was not
// flushed is there, is not, or is torn, in any order. Whatever happens in the middle of
// which call, what was acknowledged must be there when the store is opened again.
// INGOT_SEED repeats a run.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "../index.js";

/** random gives the same numbers for the same seed (mulberry32). */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const resized = (bytes, size) => {
  const out = new Uint8Array(size);
  out.set(bytes.subarray(0, size));
  return out;
};

/** apply is a file after a change: [at, bytes], or [size]. */
function apply(file, [at, bytes]) {
  if (bytes === undefined) return resized(file, at);
  const out = at + bytes.length > file.length ? resized(file, at + bytes.length) : file.slice();
  out.set(bytes, at);
  return out;
}

/** Disk is a directory whose power can be cut: at the call of the number `cutAt`. */
class Disk {
  files = new Map(); // by name: { flushed, now, changes }
  calls = 0;
  cutAt = Infinity;

  call() {
    if (++this.calls >= this.cutAt) throw Object.assign(new Error("the power is off"), { name: "InvalidStateError" });
  }

  /** after is the disk when the power is back. */
  after(rng) {
    const disk = new Disk();
    for (const [name, { flushed, changes }] of this.files) {
      let file = flushed;
      for (const change of changes) {
        const fate = rng(3);
        if (fate === 0) file = apply(file, change);
        if (fate === 1 && change.length === 2) file = apply(file, [change[0], change[1].subarray(0, rng(change[1].length + 1))]);
      }
      disk.files.set(name, { flushed: file, now: file, changes: [] });
    }
    return disk;
  }

  handle(name) {
    const file = this.files.get(name);
    const change = (one) => {
      this.call();
      file.now = apply(file.now, one);
      file.changes.push(one);
    };
    return {
      getSize: () => file.now.length,
      read(into, { at }) {
        const part = file.now.subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      write(bytes, { at }) {
        change([at, bytes.slice()]);
        return bytes.length;
      },
      truncate: (size) => change([size]),
      flush: () => {
        this.call();
        file.flushed = file.now;
        file.changes = [];
      },
      close() {},
    };
  }
}

let disk;
class FileSystemFileHandle {
  constructor(name) {
    this.name = name;
  }

  async createSyncAccessHandle() {
    return disk.handle(this.name);
  }
}

const directory = {
  getDirectoryHandle: async () => directory,
  async getFileHandle(name) {
    // Making a file is durable at once: whether it is there does not count.
    if (!disk.files.has(name)) disk.files.set(name, { flushed: new Uint8Array(0), now: new Uint8Array(0), changes: [] });
    return new FileSystemFileHandle(name);
  },
  async* keys() {
    yield* disk.files.keys();
  },
};

const real = Object.getOwnPropertyDescriptor(globalThis, "navigator");
before(() => {
  globalThis.FileSystemFileHandle = FileSystemFileHandle;
  const locks = { request: (_name, _options, run) => Promise.resolve(run({})) };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { storage: { getDirectory: async () => directory }, locks } });
});
after(() => {
  delete globalThis.FileSystemFileHandle;
  if (real === undefined) delete globalThis.navigator;
  else Object.defineProperty(globalThis, "navigator", real);
});

/** work writes until the power is cut, and returns what is there at least, and the write under way. */
async function work(store, rng, held, round) {
  const acknowledged = new Map(held);
  for (let i = 0; i < 60; i++) {
    const key = `k${rng(12)}`;
    const value = `${round}/${i} ${"v".repeat(rng(3) * 300)}`;
    try {
      if (rng(9) === 0) await store.compact();
      else store.set(key, value);
    } catch {
      return { acknowledged, key, value };
    }
    if (store.getString(key) === value) acknowledged.set(key, value);
    await new Promise((resolve) => setImmediate(resolve)); // files are made meanwhile
  }
  return { acknowledged };
}

test("what was acknowledged outlives a power failure at any call", async (t) => {
  const seed = Number(process.env.INGOT_SEED ?? Math.floor(Math.random() * 2 ** 32));
  t.diagnostic(`INGOT_SEED=${seed}`);
  const rng = random(seed);
  disk = new Disk();
  let held = new Map();
  let cuts = 0;
  const opened = (options = {}) => open({ persist: "opfs", name: "crash", sync: "always", ...options });
  for (let round = 0; round < 120; round++) {
    disk.calls = 0;
    disk.cutAt = 1 + rng([30, 200, 600][rng(3)]);
    let result = { acknowledged: held };
    try {
      const store = await opened();
      result = await work(store, rng, held, round);
      await store.close();
    } catch {
      // The power went while it was opened or closed.
    }
    if (disk.calls >= disk.cutAt) cuts++;
    disk = disk.after(rng);
    const store = await opened();
    held = new Map([...store.entries()].map(([key, value]) => [key, new TextDecoder().decode(value)]));
    for (const [key, value] of result.acknowledged) {
      const there = held.get(key);
      assert.ok(there === value || key === result.key && there === result.value, `round ${round}: ${key} is ${there?.slice(0, 20)} and was acknowledged as ${value.slice(0, 20)}`);
    }
    await store.close();
  }
  assert.ok(cuts > 60, `${cuts} cuts`);
  t.diagnostic(`${cuts} power failures, nothing lost`);
});
