// ingot-state/mcp as a package: its types and its size. js/environments runs what the README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { open } from "../index.js";
import * as mcp from "../mcp/index.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);

// The most that mcp.wasm may weigh, gzipped, and the modules of mcp/, with their comments.
const WASM_BYTES_MAX = 1_250_000;
const SCRIPT_BYTES_MAX = 14_000;

const declarations = await readFile(here("../mcp.d.ts"), "utf8");
const names = (await readdir(here("../mcp"))).filter((name) => name.endsWith(".js"));
const sources = (await Promise.all(names.map((name) => readFile(here(`../mcp/${name}`), "utf8")))).join("\n");

test("the types accept what they should, and refuse what they should", async () => {
  const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
  await run(process.execPath, [tsc, "-p", here("mcp-tsconfig.json")]).catch(({ stdout }) => assert.fail(stdout));
});

test("what is exported is declared, and every method too", async () => {
  const declared = [...declarations.matchAll(/^export (?:abstract )?(?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(mcp).sort());
  const server = await mcp.serve(await open(), mcp.inMemoryPair()[0]);
  for (const [name, object] of [["Server", server], ["Connection", server.connections[0]]]) {
    const body = new RegExp(`export class ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(declarations)[1];
    const wanted = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map(([, member]) => member);
    for (const member of wanted) assert.ok(member in object, `${name}.${member}`);
    const internal = new Set(["constructor", "start", "take", "served", "over", "failed", "flush"]);
    const real = [...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))].filter((member) => name === "Server" ? member !== "constructor" : !internal.has(member));
    assert.deepEqual(real.sort(), wanted.filter((member) => member !== "constructor").sort(), name);
  }
  await server.close();
});

test("every code that is thrown is one of ingot-state's", async () => {
  const index = await readFile(here("../index.d.ts"), "utf8");
  const known = new Set(/type ErrorCode =([\s\S]*?);\n/.exec(index)[1].match(/(?<=")ERR_[A-Z_]+(?=")/g));
  const thrown = new Set(sources.match(/(?<=")ERR_[A-Z_]+(?=")/g));
  assert.ok(thrown.size > 5);
  for (const code of thrown) assert.ok(known.has(code), code);
});

test("mcp.wasm and its modules stay small", async (t) => {
  const wasm = await readFile(here("../dist/mcp.wasm"));
  const packed = gzipSync(wasm, { level: 9 }).length;
  const script = gzipSync(sources, { level: 9 }).length;
  t.diagnostic(`mcp.wasm ${wasm.length} bytes, ${packed} gzipped; modules ${sources.length} bytes, ${script} gzipped, ${brotliCompressSync(sources).length} with brotli`);
  assert.ok(packed <= WASM_BYTES_MAX, `mcp.wasm has ${packed} bytes gzipped`);
  assert.ok(script <= SCRIPT_BYTES_MAX, `the modules of mcp/ have ${script} bytes gzipped`);
});
