// index.d.ts against test/types.ts, by tsc; and against what the modules really
// export and have.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as ingot from "../index.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const declarations = await readFile(here("../index.d.ts"), "utf8");

test("the types accept what they should, and refuse what they should", async () => {
  const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
  await promisify(execFile)(process.execPath, [tsc, "-p", here(".")]).catch(({ stdout }) => assert.fail(stdout));
});

test("every method is declared, and every declared one is there", async () => {
  const store = await ingot.open();
  for (const [name, object] of [["Store", store], ["Watcher", store.watch()]]) {
    const body = new RegExp(`export class ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(declarations)[1];
    const declared = new Set([...body.matchAll(/^ {2}(?:readonly )?(\w+|\[Symbol\.asyncIterator\])[(:<]/gm)].map(([, method]) => method));
    const internal = name === "Watcher" ? ["wake"] : [];
    const real = Reflect.ownKeys(Object.getPrototypeOf(object)).filter((key) => key !== "constructor" && !internal.includes(key));
    assert.deepEqual([...declared].sort(), real.map((key) => (typeof key === "symbol" ? `[${key.description}]` : key)).sort());
  }
  await store.close();
});

test("every code that the modules throw is declared", async () => {
  const names = (await Promise.all(["", "persist/", "worker/"].map(async (folder) => (await readdir(here(`../${folder}`))).map((name) => folder + name)))).flat();
  const sources = await Promise.all(names.filter((name) => name.endsWith(".js")).map((name) => readFile(here(`../${name}`), "utf8")));
  const thrown = new Set(sources.join("\n").match(/(?<=")ERR_[A-Z_]+(?=")/g));
  const declared = new Set(/type ErrorCode =([\s\S]*?);\n/.exec(declarations)[1].match(/(?<=")ERR_[A-Z_]+(?=")/g));
  assert.deepEqual([...declared].sort(), [...thrown].sort());
});
