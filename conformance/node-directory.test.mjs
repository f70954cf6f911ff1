// A directory goes from Node to native builds and back, and whoever has it keeps the
// others out, also when it is killed. In Node it is the npm package with persist "fs".
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "../js/index.js";
import { openPage } from "./browser.mjs";
import { readStore } from "./log-reader.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const persist = "fs";
let bin;

before(() => {
  bin = mkdtempSync(join(tmpdir(), "ingot-bin-"));
  execFileSync("go", ["build", "-o", `${bin}/`, "./cmd/ingot", "./cmd/mcp-stdio"], { cwd: root, stdio: "inherit" });
});
after(() => rmSync(bin, { recursive: true }));

/** ingot runs `ingot state …` on a directory. */
const ingot = async (...args) => (await run(join(bin, "ingot"), ["state", ...args], { maxBuffer: 64 << 20 })).stdout;
const dump = async (dir) => (await ingot("dump", dir)).trim().split("\n").map((line) => JSON.parse(line));
const shown = (store) => [...store.list({ limit: 10_000, values: true }).entries].map(({ key, value, version, expiresAt }) => ({ key, value: Buffer.from(value).toString(), version, expiresAt }));
const dumped = (entries) => entries.map(({ key, value = "", version, expires_at: expiresAt }) => ({ key, value, version, expiresAt }));

function temporary(t) {
  const dir = mkdtempSync(join(tmpdir(), "ingot-shared-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** serve starts mcp-stdio on a directory; call sends a tool call. */
async function serve(dir) {
  const child = spawn(join(bin, "mcp-stdio"), ["--data", dir], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let id = 0;
  const ask = async (method, params) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: id++, method, params })}\n`);
    return JSON.parse((await lines.next()).value).result;
  };
  await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } });
  const end = async () => {
    child.stdin.end();
    await once(child, "exit");
  };
  return { child, end, call: async (name, args) => (await ask("tools/call", { name, arguments: args })).structuredContent };
}

/** node starts a process of Node that opens a directory, says so and waits. */
async function node(dir) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", `
    import { open } from ${JSON.stringify(new URL("../js/index.js", import.meta.url).href)};
    const store = await open({ persist: "fs", dir: ${JSON.stringify(dir)} });
    console.log("open");
    process.stdin.on("end", () => store.close()).resume();
  `], { stdio: ["pipe", "pipe", "inherit"] });
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  assert.equal(value, "open");
  return child;
}

test("what Node writes is read natively, and the other way round", async (t) => {
  const dir = temporary(t);
  let store = await open({ persist, dir });
  for (let i = 0; i < 500; i++) store.set(`node/${i}`, "n".repeat(i), i % 3 === 0 ? { ttl: 3_600_000 } : undefined);
  store.deleteMany(Array.from({ length: 50 }, (_, i) => `node/${7 * i}`));
  store.increment("counter", 5);
  const first = shown(store);
  await store.close();
  assert.match(await ingot("verify", dir), /whole/);
  assert.deepEqual(dumped(await dump(dir)), first);

  const server = await serve(dir);
  for (let i = 0; i < 20; i++) assert.equal((await server.call("state_set", { key: `native/${i}`, value: `v${i}` })).stored, true);
  assert.equal((await server.call("state_increment", { key: "counter", delta: 37 })).value, 42);
  await server.end();

  store = await open({ persist, dir });
  assert.equal(store.logStats().recovered.clean, true);
  assert.equal(store.getString("counter"), "42");
  assert.deepEqual(shown(store), dumped(await dump(copyOf(t, dir))));
  await store.compact();
  store.set("after", "compaction");
  await store.close();

  await ingot("compact", dir);
  store = await open({ persist, dir });
  assert.equal(store.stats().keys, first.length + 21);
  assert.deepEqual(shown(store), dumped(await dump(copyOf(t, dir))));
  await store.close();
  const read = readStore(new Map(readdirSync(dir).map((name) => [name, new Uint8Array(readFileSync(join(dir, name)))])));
  assert.equal(read.entries.size, first.length + 21, "by the independent reader");
});

function copyOf(t, dir) {
  const to = temporary(t);
  cpSync(dir, to, { recursive: true, filter: (from) => !/owner_|lock$/.test(from) });
  return to;
}

test("native builds, wazero and Node open a directory in turn, and Chromium its snapshot", async (t) => {
  const dir = temporary(t);
  const browser = await openPage();
  t.after(browser.close);
  for (let round = 0; round < 2; round++) {
    let store = await open({ persist, dir });
    assert.equal(store.increment("turns"), 4 * round + 1);
    store.set(`node/${round}`, "\u{1f600}".repeat(round + 1), { ttl: 3_600_000 });
    await store.close();
    await run("go", ["test", "-count=1", "-run", "^TestDirectoryInTurn$", ".", "-directory", dir], { cwd: join(root, "conformance") });
    store = await open({ persist, dir });
    assert.equal(store.getString("turns"), String(4 * round + 4));
    const entries = shown(store);
    const snapshot = Buffer.from(await store.snapshot()).toString("base64");
    await store.close();
    assert.deepEqual(dumped(await dump(dir)), entries);
    const back = await browser.page.evaluate(async ({ snapshot, round }) => {
      const store = await window.ingot.openWorker({ persist: "opfs", name: "downloaded" });
      await store.restore(Uint8Array.from(atob(snapshot), (char) => char.charCodeAt(0)));
      const { entries } = await store.list({ values: true });
      await store.set("tab", String(round));
      let text = "";
      for (const byte of await store.snapshot()) text += String.fromCharCode(byte);
      await store.close();
      return { entries: entries.map(({ key, value, version, expiresAt }) => ({ key, value: new TextDecoder().decode(value), version, expiresAt })), snapshot: btoa(text) };
    }, { snapshot, round });
    assert.deepEqual(back.entries, entries);
    store = await open({ persist, dir });
    await store.restore(new Uint8Array(Buffer.from(back.snapshot, "base64")));
    assert.equal(store.getString("tab"), String(round));
    await store.close();
    assert.equal((await dump(dir)).length, entries.length + 1);
    store = await open({ persist, dir });
    store.delete("tab");
    await store.close();
  }
});

test("a native process keeps Node out until it is gone", async (t) => {
  const dir = temporary(t);
  const server = await serve(dir);
  await server.call("state_set", { key: "k", value: "v" });
  const refused = (error) => error.code === "ERR_LOCKED" && error.message.includes(`process ${server.child.pid} `) || assert.fail(error);
  await assert.rejects(open({ persist, dir }), refused);
  await assert.rejects(open({ persist, dir }), refused, "a refusal leaves nothing behind");
  assert.equal((await server.call("state_get", { key: "k" })).value, "v");
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
  const store = await open({ persist, dir });
  assert.equal(store.getString("k"), "v");
  await store.close();
});

test("Node keeps native processes and other ones of Node out until it is gone", async (t) => {
  const dir = temporary(t);
  const killed = await node(dir);
  const refused = ({ stderr }) => stderr.includes(`in use by process ${killed.pid} `) || assert.fail(stderr);
  await assert.rejects(ingot("verify", dir), refused);
  await assert.rejects(open({ persist, dir }), (error) => error.code === "ERR_LOCKED" && error.message.includes(`process ${killed.pid} `));
  killed.kill("SIGSTOP"); // alive, though it says nothing
  await assert.rejects(ingot("verify", dir), refused);
  killed.kill("SIGKILL");
  await once(killed, "exit");
  await ingot("verify", dir);
  const closed = await node(dir);
  closed.stdin.end();
  await once(closed, "exit");
  await ingot("verify", dir);
  await (await open({ persist, dir })).close();
});

// Another pid namespace, as a container has: there nobody sees the other's processes.
const inContainer = (...command) => run("unshare", ["--pid", "--fork", "--mount-proc", ...command]);

test("what another pid namespace has counts as held until somebody says otherwise", async (t) => {
  if (await inContainer("true").then(() => false, () => true)) return t.skip("this user may not make a pid namespace");
  const dir = temporary(t);
  const tries = `import(${JSON.stringify(new URL("../js/index.js", import.meta.url).href)}).then(({ open }) => open({ persist: "fs", dir: ${JSON.stringify(dir)} }))
    .then((store) => { console.log("open"); process.exit(); }, ({ code, message }) => console.log(code, message))`;
  const server = await serve(dir);
  assert.match((await inContainer(process.execPath, "--eval", tries)).stdout, /^ERR_LOCKED .*in another container.*empty the file lock/);
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
  assert.match((await inContainer(process.execPath, "--eval", tries)).stdout, /^ERR_LOCKED/, "it cannot know");
  await (await open({ persist, dir })).close(); // here it is known, and is forgotten
  assert.equal((await inContainer(process.execPath, "--eval", tries)).stdout, "open\n"); // and ends without closing
  await assert.rejects(open({ persist, dir }), ({ code, message }) => code === "ERR_LOCKED" && /remove the file owner_[0-9]+/.test(message));
  await assert.rejects(ingot("verify", dir), ({ stderr }) => stderr.includes("in use"));
  for (const name of readdirSync(dir)) if (name.startsWith("owner_")) rmSync(join(dir, name));
  await ingot("verify", dir);
  await (await open({ persist, dir })).close();
});

test("native processes and processes of Node that open at once never have it together", async (t) => {
  const dir = temporary(t);
  await (await open({ persist, dir })).close();
  const marker = join(dir, "MARKER"); // no file of a store
  const code = `
    import { closeSync, openSync, rmSync } from "node:fs";
    import { open } from ${JSON.stringify(new URL("../js/index.js", import.meta.url).href)};
    let [had, refused] = [0, 0];
    for (let i = 0; i < 30; i++) {
      try {
        const store = await open({ persist: "fs", dir: ${JSON.stringify(dir)}, sync: "never" });
        closeSync(openSync(${JSON.stringify(marker)}, "wx"));
        store.increment("opened");
        rmSync(${JSON.stringify(marker)});
        await store.close();
        had++;
      } catch (error) {
        if (error.code !== "ERR_LOCKED") throw error;
        refused++;
      }
    }
    console.log(had, refused);
  `;
  const nodes = Array.from({ length: 3 }, () => run(process.execPath, ["--input-type=module", "--eval", code]));
  let natives = 0;
  const all = Promise.all(nodes);
  let over = false;
  all.finally(() => (over = true)).catch(() => {});
  while (!over) {
    await ingot("verify", dir).then(() => natives++, ({ stderr }) => assert.match(stderr, /in use/));
  }
  const counts = (await all).map(({ stdout }) => stdout.trim().split(" ").map(Number));
  const had = counts.reduce((sum, [each]) => sum + each, 0);
  assert.ok(had > 0 && !existsSync(marker));
  t.diagnostic(`in Node ${had} times open and ${90 - had} refused; natively ${natives} times open`);
  const store = await open({ persist, dir });
  assert.equal(Number(store.getString("opened")), had);
  await store.close();
});
