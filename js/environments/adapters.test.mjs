// The adapters: each with the project that it is for, and with that project's own tests
// where it publishes them.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import Keyv from "keyv";
import { createStorage } from "unstorage";
import { KeyvIngot } from "../adapters/keyv.js";
import { ingotDriver } from "../adapters/unstorage.js";
import { open, openWorker } from "../index.js";
import { run, temporary } from "./project.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const dir = await temporary(after);

test("Keyv's own test suite", async () => {
  const root = here(".");
  const vitest = join(createRequire(import.meta.url).resolve("vitest/package.json"), "../vitest.mjs");
  const report = join(dir, "keyv.json");
  await run(process.execPath, [vitest, "run", "--root", root, "--reporter=json", "--outputFile", report, "keyv.spec.mjs"], { env: { ...process.env, NODE_OPTIONS: "" } })
    .catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
  const { numPassedTests, numTotalTests } = JSON.parse(await readFile(report, "utf8"));
  assert.equal(numPassedTests, numTotalTests);
  assert.ok(numTotalTests >= 34, `it has only ${numTotalTests} tests`);
});

test("the adapters have the types of Keyv's adapters and unstorage's drivers", async () => {
  const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
  const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, target: "es2023", lib: ["es2023", "dom", "dom.asynciterable"], types: ["node"], typeRoots: [here("node_modules/@types")], module: "nodenext" };
  const project = join(dir, "tsconfig.json");
  await writeFile(project, JSON.stringify({ compilerOptions, files: [here("adapters.types.ts")] })); // unstorage names many libraries that are not there
  await run(process.execPath, [tsc, "-p", project]).catch(({ stdout }) => assert.fail(stdout));
});

for (const [where, opening] of [["a store", open], ["a worker's store", openWorker]]) {
  test(`Keyv on ${where}: many keys, namespaces, time to live, what is in it`, async () => {
    const store = await opening();
    const adapter = new KeyvIngot(store);
    const keyv = new Keyv({ store: adapter, namespace: "n" });
    await keyv.setMany([{ key: "a", value: 1 }, { key: "b", value: 2, ttl: 60_000 }]);
    await store.set("other", "stays");
    assert.deepEqual(await keyv.get(["a", "b", "c"]), [1, 2, undefined]);
    const { expiresAt } = await store.getEntry("n:b");
    assert.ok(expiresAt > Date.now() && (await store.getEntry("n:a")).expiresAt === undefined);
    const keys = [];
    for await (const [key] of adapter.iterator()) keys.push(key);
    assert.deepEqual(keys, ["n:a", "n:b"]);
    assert.deepEqual(await keyv.hasMany(["a", "c"]), [true, false]);
    assert.equal(await adapter.deleteMany(["n:a", "n:a"]), true);
    await keyv.clear();
    assert.equal(await keyv.get("b"), undefined);
    assert.equal(await store.getString("other"), "stays");
    await store.close();
  });

  test(`unstorage on ${where}: values, bytes, keys, meta, time to live, watching`, async () => {
    const store = await opening();
    const storage = createStorage({ driver: ingotDriver({ store, base: "u/" }) });
    await storage.setItem("a:b", { n: 1 });
    await storage.setItem("a:c", "text", { ttl: 60 });
    await storage.setItemRaw("raw", new Uint8Array([0, 255]));
    assert.deepEqual(await storage.getItem("a:b"), { n: 1 });
    assert.deepEqual(new Uint8Array(await storage.getItemRaw("raw")), new Uint8Array([0, 255]));
    assert.equal(await storage.getItem("missing"), null);
    assert.deepEqual([await storage.hasItem("a:b"), await storage.hasItem("missing")], [true, false]);
    assert.deepEqual(await storage.getKeys(), ["a:b", "a:c", "raw"]);
    assert.deepEqual(await storage.getKeys("a"), ["a:b", "a:c"]);
    const { ttl, size } = await storage.getMeta("a:c");
    assert.ok(ttl > 0 && ttl <= 60 && size === 4);
    assert.ok(await store.has("u/a:b"));

    const heard = [];
    const twice = new Promise((resolve) => storage.watch((event, key) => heard.push([event, key]) === 2 && resolve()).then(async () => {
      await storage.setItem("w", "1");
      await storage.removeItem("w");
    }));
    await twice;
    assert.deepEqual(heard, [["update", "w"], ["remove", "w"]]);
    await storage.unwatch();
    await store.set("left", "alone");
    await storage.clear();
    assert.deepEqual(await storage.getKeys(), []);
    assert.ok(await store.has("left"));
    await storage.dispose();
    await store.close();
  });
}

test("in a kept store a write is durable when it resolves", async () => {
  const store = await open({ persist: "fs", dir: join(dir, "kept") });
  const before = store.logStats().syncs;
  await new KeyvIngot(store).set("a", "1");
  assert.ok(store.logStats().syncs > before && store.logStats().pendingBytes === 0);
  const storage = createStorage({ driver: ingotDriver({ store }) });
  await storage.setItem("b", "2");
  assert.equal(store.logStats().pendingBytes, 0);
  await store.close();
});
