// The package as npm packs it: what is in it, and that it runs from there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

// The most that the JavaScript may weigh, all modules that a store in memory needs, with their comments, gzipped, in bytes.
const SCRIPT_BYTES_MAX = 17_000;

test("the packed package holds what it needs and runs", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ingot-pack-"));
  t.after(() => rm(dir, { recursive: true }));
  await run(process.execPath, [join(root, "build.mjs")]);
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", dir], { cwd: root });
  const [{ filename, files }] = JSON.parse(stdout);
  const modules = (await readdir(root)).filter((name) => name.endsWith(".js"));
  const folders = await Promise.all(["persist", "tools", "mcp", "worker", "adapters"].map(async (folder) => (await readdir(join(root, folder))).filter((name) => name.endsWith(".js")).map((name) => `${folder}/${name}`)));
  const types = [...await readdir(root), ...(await readdir(join(root, "adapters"))).map((name) => `adapters/${name}`)].filter((name) => name.endsWith(".d.ts"));
  // worker.js and the two of ./inline are for the browser alone.
  const built = [...modules, ...folders.flat()].filter((name) => !["inline.js", "inline-code.js", "worker.js"].includes(name)).concat(types, "package.json").map((name) => `build/cjs/${name}`).concat("build/engine-inline.js");
  assert.deepEqual(files.map(({ path }) => path).sort(), [...modules, ...folders.flat(), ...types, ...built, "dist/engine.wasm", "dist/mcp.wasm", "package.json", "README.md"].sort());

  const installed = join(dir, "node_modules", "ingot-state");
  await mkdir(installed, { recursive: true });
  await run("tar", ["xzf", join(dir, filename), "-C", installed, "--strip-components=1"]);
  await writeFile(join(dir, "main.mjs"), `
    import { open } from "ingot-state";
    import { ToolError, loadTool } from "ingot-state/tools";
    const store = await open();
    store.set("greeting", "hello", { ttl: 60_000 });
    await loadTool(new Uint8Array(8)).catch((error) => console.log(error instanceof ToolError, error.code));
    console.log(store.getString("greeting"), import.meta.resolve("ingot-state/engine.wasm").endsWith("dist/engine.wasm"));
  `);
  assert.equal((await run(process.execPath, [join(dir, "main.mjs")])).stdout, "true ERR_TOOL_MODULE\nhello true\n");
});

test("it has no run-time dependency, no install script, and stays small", async () => {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const field of ["dependencies", "optionalDependencies"]) assert.equal(manifest[field], undefined);
  for (const name of Object.keys(manifest.peerDependencies)) assert.deepEqual(manifest.peerDependenciesMeta[name], { optional: true });
  for (const name of Object.keys(manifest.scripts)) assert.doesNotMatch(name, /install|prepare/);
  const sources = new Map(); // by name: what index.js imports, directly or not
  for (const queue = ["index.js"]; queue.length > 0; ) {
    const name = queue.pop();
    if (sources.has(name)) continue;
    sources.set(name, await readFile(join(root, name), "utf8"));
    for (const [, imported] of sources.get(name).matchAll(/ from "\.\/([^"]+)"/g)) queue.push(imported);
  }
  assert.ok(sources.has("store.js") && !sources.has("worker.js"));
  const size = gzipSync([...sources.values()].join("")).length;
  assert.ok(size <= SCRIPT_BYTES_MAX, `the modules have ${size} bytes gzipped`);
});
