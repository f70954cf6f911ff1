// The conformance scripts in Node, on the npm package and dist/engine.wasm.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import * as ingot from "../js/index.js";
import { runScript } from "./runner.mjs";

const here = (path) => new URL(path, import.meta.url);
const loadFile = async (name) => new Uint8Array(await readFile(here(`testdata/${name}`)));

const names = (await readdir(here("scripts"))).filter((name) => name.endsWith(".txt"));
assert.ok(names.length > 0, "there are no scripts");

for (const name of names) {
  test(`Node runs ${name}`, async () => {
    const script = await readFile(here(`scripts/${name}`), "utf8");
    const { output } = await runScript(script, ingot, loadFile);
    assert.equal(output, script);
  });
}
