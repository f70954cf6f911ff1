// The conformance scripts in Node, on the npm package and dist/engine.wasm.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as ingot from "../js/index.js";
import { runScript } from "./runner.mjs";

const here = (path) => new URL(path, import.meta.url);
const loadFile = async (name) => new Uint8Array(await readFile(here(`testdata/${name}`)));

const names = (await readdir(here("scripts"))).filter((name) => name.endsWith(".txt"));
assert.ok(names.length > 0, "there are no scripts");

// The same with each store in a directory of its own.
const inDirectories = (parent) => {
  let count = 0;
  const open = (options) => ingot.open({ ...options, persist: "fs", dir: join(parent, String(count++)), sync: "never" });
  return { ...ingot, open };
};

// A restore into a store with a log takes a version of its own, which these print.
const IN_MEMORY_ONLY = new Set(["snapshot.txt", "watch.txt"]);

for (const name of names) {
  if (!IN_MEMORY_ONLY.has(name)) test(`Node runs ${name} in directories`, async (t) => {
    const parent = await mkdtemp(join(tmpdir(), "ingot-scripts-"));
    t.after(() => rm(parent, { recursive: true, force: true }));
    const script = await readFile(here(`scripts/${name}`), "utf8");
    const { output } = await runScript(script, inDirectories(parent), loadFile);
    assert.equal(output, script);
  });

  test(`Node runs ${name}`, async () => {
    const script = await readFile(here(`scripts/${name}`), "utf8");
    const { output } = await runScript(script, ingot, loadFile);
    assert.equal(output, script);
  });
}
