// Carries snapshots between all builds: Node and Chromium leave theirs in a
// directory, the Go test adds those of the native engine and of wazero and opens
// all, then Node and Chromium open all. exchange_test.go is the Go side.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as ingot from "../js/index.js";
import { openPage } from "./browser.mjs";
import { runScript } from "./runner.mjs";
import { readSnapshot } from "./snapshot-reader.mjs";

const here = (path) => new URL(path, import.meta.url);

test("a snapshot of each build opens in each other one", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ingot-exchange-"));
  const browser = await openPage();
  t.after(async () => {
    await browser.close();
    await rm(dir, { recursive: true });
  });
  const builds = {
    node: (script, files) => runScript(script, ingot, async (name) => new Uint8Array(files[name])),
    chromium: browser.run,
  };
  const [write, read] = await Promise.all(["write", "read"].map((name) => readFile(here(`exchange/${name}.txt`), "utf8")));

  for (const [name, run] of Object.entries(builds)) {
    const { output, snapshots } = await run(write, {});
    assert.equal(output, write, `written by ${name}`);
    await writeFile(join(dir, `${name}.snapshot`), snapshots.get("exchanged"));
  }
  await promisify(execFile)("go", ["test", "-count=1", "-run", "^TestExchange$", ".", "-exchange", dir], { cwd: fileURLToPath(here(".")) });

  const files = await readdir(dir);
  assert.deepEqual(files.sort(), ["chromium.snapshot", "native.snapshot", "node.snapshot", "wazero.snapshot"]);
  for (const file of files) {
    const snapshot = new Uint8Array(await readFile(join(dir, file)));
    assert.equal(readSnapshot(snapshot).entries.length, 510, `${file}, by the independent reader`);
    for (const [name, run] of Object.entries(builds)) {
      const { output } = await run(read, { exchanged: snapshot });
      assert.equal(output, read, `${file} in ${name}`);
    }
  }
});
