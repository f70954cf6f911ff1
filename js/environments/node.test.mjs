// The packed package in Node: as ES modules, as CommonJS, and in TypeScript.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { EXPECTED, PROGRAM, install, pack, run, temporary, write } from "./project.mjs";

const require = createRequire(import.meta.url);
const SHOW = "program().then(console.log);\n";
const dir = await temporary(after);
const archive = await pack(dir);
await install(archive, dir);

async function output(name, text) {
  await write(dir, { [name]: text });
  return (await run(process.execPath, [join(dir, name)])).stdout.trim();
}

for (const entry of ["ingot-state", "ingot-state/inline"]) {
  test(`${entry} as an ES module`, async () => {
    assert.equal(await output("main.mjs", `import { IngotError, open } from "${entry}";${PROGRAM}${SHOW}`), EXPECTED);
  });
}

test("ingot-state/slim takes the engine that it is given", async () => {
  const own = `import { IngotError, open as openSlim } from "ingot-state/slim";
    const open = () => openSlim({ wasm: import.meta.resolve("ingot-state/engine.wasm") });`;
  assert.equal(await output("slim.mjs", `${own}${PROGRAM}${SHOW}`), EXPECTED);
  assert.equal(await output("none.mjs", `import { open, openWorker } from "ingot-state/slim";
    for (const opening of [open(), openWorker()]) await opening.catch((error) => console.log(error.code));`), "ERR_OPTIONS\nERR_OPTIONS");
});

test("require() without flags", async () => {
  assert.equal(await output("main.cjs", `const { IngotError, open } = require("ingot-state");${PROGRAM}${SHOW}`), EXPECTED);
});

test("require() of a kept store, a worker, and ./mcp on the same store", async () => {
  const text = `
    const { open, openWorker } = require("ingot-state");
    const { inMemoryPair, serve } = require("ingot-state/mcp");
    const { loadTool } = require("ingot-state/tools");
    (async () => {
      const dir = ${JSON.stringify(join(dir, "kept"))};
      const store = await open({ persist: "fs", dir });
      store.set("a", "1");
      const server = await serve(store, inMemoryPair()[0]); // takes only a Store of its own class
      await server.close();
      await store.close();
      const worker = await openWorker({ persist: "fs", dir });
      console.log(await worker.getString("a"));
      await worker.close();
      await loadTool(new Uint8Array(8)).catch((error) => console.log(error.code));
    })();`;
  assert.equal(await output("more.cjs", text), "1\nERR_TOOL_MODULE");
});

test("an ES module's openWorker, in memory and with the engine inside", async () => {
  const text = (entry) => `import { openWorker } from "${entry}";
    const store = await openWorker();
    await store.set("a", "1");
    console.log(await store.getString("a"));
    await store.close();`;
  assert.equal(await output("worker.mjs", text("ingot-state")), "1");
  assert.equal(await output("worker-inline.mjs", text("ingot-state/inline")), "1");
});

const TYPED = `
async function main(): Promise<number | undefined> {
  const store = await open({ maxBytes: 1 << 20 });
  const value: Uint8Array | undefined = store.get("a");
  const [entry] = store.list({ keyType: "bytes", values: true }).entries;
  const bytes: Uint8Array | undefined = entry?.key;
  // @ts-expect-error a key is no number
  store.set(1, "x");
  // @ts-expect-error slim wants an engine
  await openSlim();
  return value?.length ?? bytes?.length;
}
main();
`;

test("TypeScript finds the types as nodenext, in both kinds of modules, and as bundler", async () => {
  const imports = `import { open } from "ingot-state";\nimport { open as openSlim } from "ingot-state/slim";\nimport { serve } from "ingot-state/mcp";\nimport { loadTool } from "ingot-state/tools";\nexport const used = [serve, loadTool];\n`;
  const inline = `import { open as openInline, type Store } from "ingot-state/inline";\nexport const store: Promise<Store> = openInline();\n`;
  await write(dir, { "typed.mts": imports + inline + TYPED, "typed.cts": imports + TYPED });
  const tsc = require.resolve("typescript/lib/tsc.js");
  const check = async (module, moduleResolution, ...files) => {
    const compilerOptions = { noEmit: true, strict: true, target: "es2023", lib: ["es2023", "dom", "dom.asynciterable"], types: [], module, moduleResolution };
    await write(dir, { "tsconfig.json": JSON.stringify({ compilerOptions, files }) });
    await run(process.execPath, [tsc, "-p", dir]).catch(({ stdout }) => assert.fail(stdout));
  };
  await check("nodenext", "nodenext", "typed.mts", "typed.cts");
  await check("esnext", "bundler", "typed.mts");
});

test("are the types wrong? They are not", async () => {
  const cli = join(require.resolve("@arethetypeswrong/cli/package.json"), "../dist/index.js");
  // Into a file: of what goes through a pipe it loses the end when it exits.
  const report = join(dir, "attw.json");
  await run("sh", ["-c", `exec "$0" "$@" > ${report}`, process.execPath, cli, archive, "--format", "json", "--exclude-entrypoints", "engine.wasm", "mcp.wasm"]).catch(() => {}); // it fails because of the two below
  const { entrypoints, problems } = JSON.parse(await readFile(report, "utf8")).analysis;
  // What node10 stands for, resolution without "exports", no Node that this package runs in has.
  const found = problems.filter(({ resolutionKind }) => resolutionKind !== "node10").map(({ kind, entrypoint, resolutionKind }) => `${entrypoint} ${kind} ${resolutionKind}`);
  assert.deepEqual(Object.keys(entrypoints), [".", "./slim", "./tools", "./mcp", "./keyv", "./unstorage", "./abstract-level", "./inline", "./worker", "./package.json"]);
  // These two are ES modules only: CommonJS in Node reads engine.wasm itself.
  assert.deepEqual(found, ["./inline CJSResolvesToESM node16-cjs", "./worker CJSResolvesToESM node16-cjs"]);
});
