// persist "fs": a store in a directory, in this process. What native builds say of
// the same directory, and processes that are killed, are in conformance/.
import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Worker } from "node:worker_threads";
import { IngotError, open } from "../index.js";

let dir;
beforeEach(() => (dir = fs.mkdtempSync(join(tmpdir(), "ingot-fs-"))));
afterEach(() => {
  mock.restoreAll();
  fs.rmSync(dir, { recursive: true, force: true });
});

const persist = "fs";
const code = (wanted) => (error) => error instanceof IngotError && error.code === wanted || assert.fail(`wanted ${wanted}, got ${error.code}: ${error.stack}`);
const logs = () => fs.readdirSync(dir).filter((name) => name.startsWith("log-"));

/** copy is the directory as a power failure that keeps everything would leave it. */
function copy() {
  const to = `${dir}.copy`;
  fs.cpSync(dir, to, { recursive: true });
  for (const name of fs.readdirSync(to)) if (name.startsWith("owner_")) fs.rmSync(join(to, name));
  return to;
}

async function reads(of, check) {
  try {
    const store = await open({ persist, dir: of });
    check(store);
    await store.close();
  } finally {
    fs.rmSync(of, { recursive: true });
  }
}

test("a store is there again when it is opened again", async () => {
  const at = join(dir, "below", "data");
  let store = await open({ persist, dir: at });
  store.set("a", "1");
  store.set("b", "2", { ttl: 60_000 });
  store.increment("n", 41);
  store.batch([{ op: "increment", key: "n" }, { op: "delete", key: "a" }, { op: "set", key: "c", value: new Uint8Array(300_000).fill(7) }]);
  const before = { b: store.getEntry("b"), version: store.stats().version };
  await store.close();

  store = await open({ persist, dir: at });
  assert.equal(store.get("a"), undefined);
  assert.deepEqual(store.getEntry("b"), before.b);
  assert.equal(store.getString("n"), "42");
  assert.deepEqual(store.get("c"), new Uint8Array(300_000).fill(7));
  assert.equal(store.stats().version, before.version);
  assert.equal(store.logStats().recovered.clean, true);
  await store.compact();
  assert.equal(store.logStats().compactions, 1);
  store.clear();
  await store.close();

  store = await open({ persist, dir: at });
  assert.equal(store.stats().keys, 0);
  const snapshot = await (async () => {
    const other = await open();
    other.set("restored", "yes");
    return other.snapshot();
  })();
  await store.restore(snapshot);
  await store.close();
  store = await open({ persist, dir: at });
  assert.equal(store.getString("restored"), "yes");
  await store.close();
});

test("by itself the directory has the store's name", async () => {
  const was = process.cwd();
  process.chdir(dir);
  try {
    await (await open({ persist, name: "notes" })).close();
    assert.ok(fs.existsSync(join(dir, "notes.ingot")));
  } finally {
    process.chdir(was);
  }
});

test("with sync \"always\" each call is synced before it returns", async () => {
  const store = await open({ persist, dir, sync: "always" });
  store.set("k", "v"); // makes the next file of the log too
  const sync = mock.method(fs, "fdatasyncSync");
  for (let i = 1; i <= 5; i++) {
    store.set(`k${i}`, "v");
    assert.equal(sync.mock.callCount(), i);
  }
  await store.flush();
  assert.equal(sync.mock.callCount(), 5, "nothing is left to sync");
  await reads(copy(), (other) => assert.equal(other.stats().keys, 6));
  await store.close();
});

test("with sync \"group\" the writes of one turn share a sync", async () => {
  const store = await open({ persist, dir });
  store.set("k0", "v"); // makes the next file of the log too
  await store.flush();
  const sync = mock.method(fs, "fdatasyncSync");
  await Promise.all(Array.from({ length: 64 }, async (_, i) => {
    store.set(`k${i}`, "v");
    await store.flush();
  }));
  assert.equal(sync.mock.callCount(), 1);
  await reads(copy(), (other) => assert.equal(other.stats().keys, 64));

  sync.mock.resetCalls();
  store.set("late", "v"); // nobody waits for it
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(sync.mock.callCount(), 1);
  await reads(copy(), (other) => assert.equal(other.getString("late"), "v"));
  await store.close();
});

test("with sync \"never\" and \"interval\" nothing is synced before it is due", async () => {
  for (const sync of ["never", "interval"]) {
    const at = join(dir, sync);
    const store = await open({ persist, dir: at, sync, syncInterval: 20 });
    store.set("first", "v"); // makes the next file of the log too
    await store.flush();
    const calls = mock.method(fs, "fdatasyncSync");
    store.set("k", "v");
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(calls.mock.callCount(), 0, sync);
    if (sync === "interval") {
      while (calls.mock.callCount() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    } else {
      await store.flush();
      assert.equal(calls.mock.callCount(), 1);
    }
    mock.restoreAll();
    await store.close();
  }
});

test("a directory is open once, in this process, in its threads and by its links", async () => {
  const store = await open({ persist, dir });
  await assert.rejects(open({ persist, dir }), code("ERR_LOCKED"));
  fs.symlinkSync(dir, `${dir}.link`);
  await assert.rejects(open({ persist, dir: `${dir}.link` }), code("ERR_LOCKED"));
  fs.unlinkSync(`${dir}.link`);
  const worker = new Worker(`
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.index).then(({ open }) => open({ persist: "fs", dir: workerData.dir })).then(() => "open", (error) => error.code).then((said) => parentPort.postMessage(said));
  `, { eval: true, workerData: { index: new URL("../index.js", import.meta.url).href, dir } });
  assert.equal(await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject)), "ERR_LOCKED");
  await store.close();
  await (await open({ persist, dir })).close();
});

test("of many that open at once, one has it", async () => {
  for (let round = 0; round < 5; round++) {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => open({ persist, dir })));
    const stores = results.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    assert.equal(stores.length, 1);
    for (const { reason } of results.filter(({ status }) => status === "rejected")) code("ERR_LOCKED")(reason);
    await stores[0].close();
  }
  assert.ok(fs.readdirSync(dir).filter((name) => name.startsWith("owner_")).length <= 2, "owner files do not pile up");
});

test("an owner that is gone is taken over from, one that may live is not", async () => {
  await (await open({ persist, dir })).close();
  const [name] = fs.readdirSync(dir).filter((each) => each.startsWith("owner_"));
  const text = fs.readFileSync(join(dir, name), "utf8").replace("free", "held");
  const as = (changes) => fs.writeFileSync(join(dir, name), Object.entries(changes).reduce((all, [word, to]) => all.replace(new RegExp(`^${word} .*$`, "m"), `${word} ${to}`), text));
  const gone = { "another start of the process": { start: "1" }, "no such process": { pid: "4194304" }, "before the machine was started again": { boot: "b0" }, "cut by a power failure": undefined };
  const lives = { "another pid namespace": { space: "pid:[1]" }, "another machine": { host: "elsewhere", boot: "b0" } };
  for (const [what, changes] of Object.entries(lives)) {
    as(changes);
    await assert.rejects(open({ persist, dir }), (error) => code("ERR_LOCKED")(error) && error.message.includes(`remove the file ${name}`), what);
  }
  for (const [what, changes] of Object.entries(gone)) {
    for (const each of fs.readdirSync(dir)) if (each.startsWith("owner_")) fs.rmSync(join(dir, each));
    if (changes === undefined) fs.writeFileSync(join(dir, name), text.slice(0, 20));
    else as(changes);
    await (await open({ persist, dir })).close().catch((error) => assert.fail(`${what}: ${error}`));
  }
});

test("a full disk refuses writes and keeps what was written", async () => {
  const store = await open({ persist, dir, sync: "always" });
  store.set("kept", "1");
  const write = fs.writeSync;
  const full = mock.method(fs, "writeSync", (fd, ...rest) => {
    if (rest[0] instanceof Uint8Array) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    return write(fd, ...rest);
  });
  assert.throws(() => store.set("k", "2"), code("ERR_SPACE"));
  assert.throws(() => store.set("k", "3"), code("ERR_SPACE"));
  assert.equal(store.getString("kept"), "1");
  assert.equal(store.logStats().state, "degraded");
  assert.match(store.logStats().problem, /full/);
  const there = copy();
  full.mock.restore();
  await reads(there, (other) => assert.equal(other.getString("kept"), "1"));
  store.set("k", "4");
  assert.equal(store.logStats().state, "ok");
  await store.close();
  const again = await open({ persist, dir });
  assert.equal(again.getString("k"), "4");
  await again.close();
});

test("a failed sync makes the store read-only, and flush says so", async () => {
  const store = await open({ persist, dir });
  store.set("kept", "1");
  await store.flush();
  mock.method(fs, "fdatasyncSync", () => {
    throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  });
  store.set("k", "2");
  await assert.rejects(store.flush(), (error) => code("ERR_READ_ONLY")(error) && error.cause.message.includes("EIO"));
  mock.restoreAll();
  assert.throws(() => store.set("k", "3"), code("ERR_READ_ONLY"));
  await assert.rejects(store.flush(), code("ERR_READ_ONLY"));
  assert.equal(store.getString("kept"), "1");
  assert.equal(store.logStats().state, "read-only");
  await assert.rejects(store.close(), code("ERR_READ_ONLY"));
  const again = await open({ persist, dir });
  assert.equal(again.getString("kept"), "1");
  await again.close();
});

test("a truncated log loses its tail and no more, damage before it is told", async () => {
  let store = await open({ persist, dir, sync: "always" });
  for (let i = 0; i < 20; i++) store.set(`k${i}`, "v".repeat(100));
  const torn = copy();
  const log = join(torn, logs().at(0));
  const bytes = fs.readFileSync(log);
  const end = bytes.length - [...bytes].reverse().findIndex((byte) => byte !== 0);
  fs.truncateSync(log, end - 30);
  await reads(torn, (other) => {
    assert.equal(other.stats().keys, 19);
    assert.ok(other.logStats().recovered.tornBytes > 0);
    assert.equal(other.logStats().recovered.clean, false);
  });
  await store.close();
  const [name] = logs();
  const damaged = fs.readFileSync(join(dir, name));
  damaged[400] ^= 1;
  fs.writeFileSync(join(dir, name), damaged);
  await assert.rejects(open({ persist, dir }), (error) => code("ERR_CORRUPT")(error) && error.message.includes(name));
  damaged[400] ^= 1;
  damaged[8] = 99; // the format's version
  fs.writeFileSync(join(dir, name), damaged);
  await assert.rejects(open({ persist, dir }), (error) => ["ERR_FORMAT_VERSION", "ERR_CORRUPT"].includes(error.code));
});

test("a store that traps is opened again from its log", async () => {
  let time = Date.now();
  const store = await open({ persist, dir, sync: "always", now: () => time });
  store.set("k", "1", { ttl: 60_000 });
  store.set("forever", "2");
  time = NaN;
  assert.throws(() => store.get("k"), code("ERR_POISONED"));
  assert.throws(() => store.get("forever"), code("ERR_POISONED"));
  await assert.rejects(open({ persist, dir }), code("ERR_LOCKED"), "it is not closed");
  await store.close();
  const again = await open({ persist, dir });
  assert.equal(again.getString("forever"), "2");
  assert.equal(again.getString("k"), "1");
  assert.equal(again.logStats().recovered.clean, false);
  await again.close();
});

test("a directory that is removed under a store is not written to", async () => {
  const store = await open({ persist, dir, sync: "always" });
  store.set("a", "1");
  fs.renameSync(dir, `${dir}.moved`);
  fs.mkdirSync(dir);
  store.set("b", "2");
  assert.deepEqual(fs.readdirSync(dir), []);
  fs.rmSync(`${dir}.moved`, { recursive: true });
  assert.throws(() => store.set("c", "3"), code("ERR_READ_ONLY"));
  await assert.rejects(store.close());
});

test("the log is compacted while the thread is free", async () => {
  const store = await open({ persist, dir });
  const value = new Uint8Array(64 << 10).fill(1);
  for (let round = 0; store.logStats().compactions === 0; round++) {
    for (let i = 0; i < 16; i++) store.set(`k${i}`, value);
    await store.flush();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(store.logStats().logBytes < 16 << 20);
  await store.close();
});

test("wrong options are refused", async () => {
  for (const [options, wanted] of [
    [{ persist, dir, sync: "sometimes" }, "ERR_OPTIONS"], [{ persist, dir, syncInterval: 0 }, "ERR_OPTIONS"], [{ persist, dir: 7 }, "ERR_TYPE"],
    [{ persist, dir: "" }, "ERR_OPTIONS"], [{ persist, dir: "a\0b" }, "ERR_OPTIONS"], [{ persist, name: "../up" }, "ERR_OPTIONS"], [{ persist: "disk" }, "ERR_OPTIONS"],
    [{ dir }, "ERR_OPTIONS"], [{ sync: "always" }, "ERR_OPTIONS"], [{ persist: "opfs", dir }, "ERR_OPTIONS"], [{ persist: "idb", sync: "always" }, "ERR_OPTIONS"],
    [{ persist: "opfs" }, "ERR_PERSIST_UNSUPPORTED"], [{ persist: "idb" }, "ERR_PERSIST_UNSUPPORTED"],
  ]) await assert.rejects(open(options), code(wanted), JSON.stringify(options));
  fs.writeFileSync(join(dir, "file"), "");
  await assert.rejects(open({ persist, dir: join(dir, "file") }), code("ERR_STORAGE"));
  await assert.rejects(open({ persist, dir: join(dir, "file", "below") }), code("ERR_STORAGE"));
  mock.method(fs, "linkSync", () => {
    throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
  });
  await assert.rejects(open({ persist, dir: join(dir, "no-links") }), code("ERR_STORAGE"));
});
