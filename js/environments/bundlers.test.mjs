// The packed package in projects of bundlers and in plain pages, each opened in Chromium.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import * as esbuild from "esbuild";
import { build as viteBuild, createServer } from "vite";
import webpack from "webpack";
import { EXPECTED, PAGE, PROGRAM, install, pack, run, serve, shown, startBrowser, temporary, write } from "./project.mjs";

// Chromium writes to its profile in there until it is closed.
const dir = await temporary((remove) => after(async () => {
  await browser.close();
  await remove();
}));
const archive = await pack(dir);
const browser = await startBrowser(join(dir, "profile"));

// The program, and then a store in a worker.
const main = (entry) => `import { IngotError, open, openWorker } from "${entry}";
${PROGRAM}
async function both() {
  const result = await program();
  const store = await openWorker({ maxBytes: 1 << 20 });
  await store.set("in", "a worker");
  const text = await store.getString("in");
  await store.close();
  return result + " in " + text;
}
${shown("both()")}`;
const alone = (entry) => `import { IngotError, open } from "${entry}";${PROGRAM}${shown("program()")}`;

// project makes a folder with the package and these files.
async function project(name, files) {
  const root = join(dir, name);
  await write(root, { "package.json": JSON.stringify({ name, private: true, type: "module" }), "index.html": PAGE, ...files });
  await install(archive, root);
  return root;
}

// opened serves a folder and gives what its page came to.
async function opened(root, path = "/index.html") {
  const server = await serve(root);
  try {
    return await browser.result(server.origin + path);
  } finally {
    await server.close();
  }
}

async function holds(root, path = undefined, expected = EXPECTED) {
  const { title, complaints, requests } = await opened(root, path);
  assert.deepEqual([title, complaints], [`done ${expected}`, []]);
  return requests;
}

const IN_BOTH = `${EXPECTED} in a worker`;

test("vite build", async () => {
  const root = await project("vite", { "main.js": main("ingot-state") });
  await viteBuild({ root, logLevel: "error", base: "./", worker: { format: "es" }, build: { outDir: "out" } });
  await holds(join(root, "out"), undefined, IN_BOTH);
});

test("vite's server for development", async () => {
  const root = await project("vite-dev", { "main.js": main("ingot-state") });
  const server = await createServer({ root, logLevel: "error", cacheDir: join(root, ".vite"), optimizeDeps: { exclude: ["ingot-state"] }, server: { port: 0, host: "127.0.0.1", hmr: false, ws: false } });
  try {
    await server.listen();
    const { title } = await browser.result(`http://127.0.0.1:${server.httpServer.address().port}/`);
    assert.equal(title, `done ${IN_BOTH}`);
  } finally {
    await server.close();
  }
});

test("webpack 5", async () => {
  const root = await project("webpack", { "main.js": main("ingot-state") });
  const out = join(root, "out");
  const stats = await new Promise((resolve, reject) =>
    webpack({ context: root, entry: "./main.js", mode: "production", devtool: false, output: { path: out, filename: "main.js" }, performance: { hints: false } }, (error, result) => (error ? reject(error) : resolve(result))));
  const { errors, warnings } = stats.toJson();
  assert.deepEqual([...errors, ...warnings].map(({ message }) => message), []);
  await write(out, { "index.html": PAGE });
  await holds(out, undefined, IN_BOTH);
});

async function bundle(root, options) {
  const { warnings } = await esbuild.build({ absWorkingDir: root, entryPoints: ["main.js"], bundle: true, minify: true, format: "esm", outdir: "out", logLevel: "silent", ...options });
  assert.deepEqual(warnings, []);
  await write(join(root, "out"), { "index.html": PAGE });
  return join(root, "out");
}

test("esbuild, with the engine inside: nothing else is loaded", async () => {
  const root = await project("esbuild-inline", { "main.js": alone("ingot-state/inline") });
  assert.deepEqual(await holds(await bundle(root)), ["/index.html", "/main.js"]);
});

test("esbuild, with the engine as a file and as a classic script", async () => {
  const text = `import wasm from "ingot-state/engine.wasm";
    import { IngotError, open as openSlim } from "ingot-state/slim";
    const open = () => openSlim({ wasm });${PROGRAM}${shown("program()")}`;
  const root = await project("esbuild-file", { "main.js": text });
  const out = await bundle(root, { loader: { ".wasm": "file" }, format: "iife", logOverride: { "empty-import-meta": "silent" } });
  await write(out, { "index.html": PAGE.replace(' type="module"', " defer") });
  await holds(out);
  assert.equal((await readdir(out)).filter((name) => name.endsWith(".wasm")).length, 1);
});

// The bundle looks for worker.js one folder above itself, as the modules are laid out.
for (const [what, text, requests] of [
  ["inside", main("ingot-state/inline"), ["/app/main.js", "/index.html", "/worker.js"]],
  ["as a file", `import wasm from "ingot-state/engine.wasm";
    import { IngotError, open as openFile, openWorker as openFileWorker } from "ingot-state";
    const open = (options) => openFile({ ...options, wasm });
    const openWorker = (options) => openFileWorker({ ...options, wasm });
    ${main("ingot-state").slice(main("ingot-state").indexOf("\n"))}`, ["/app/main.js", "/engine.wasm", "/index.html", "/worker.js"]],
]) {
  test(`esbuild, openWorker() with the engine ${what}`, async () => {
    const root = await project(`esbuild-worker-${requests.length}`, { "main.js": text });
    const out = await bundle(root, { entryPoints: { "app/main": "main.js", worker: "ingot-state/worker" }, loader: { ".wasm": "file" }, publicPath: "/", assetNames: "[name]" });
    await write(out, { "index.html": PAGE.replace("./main.js", "./app/main.js") });
    assert.deepEqual([...new Set(await holds(out, undefined, IN_BOTH))].sort(), requests);
  });
}

test("esbuild for Node, as CommonJS with the engine inside", async () => {
  const root = await project("esbuild-node", { "main.js": `import { IngotError, open } from "ingot-state/inline";${PROGRAM}program().then(console.log);` });
  await bundle(root, { platform: "node", format: "cjs", outExtension: { ".js": ".cjs" }, logOverride: { "empty-import-meta": "silent" } });
  assert.equal((await run(process.execPath, [join(root, "out/main.cjs")])).stdout.trim(), EXPECTED);
});

test("a plain page, without a bundler", async () => {
  const root = await project("plain", { "main.js": main("/node_modules/ingot-state/index.js"), "classic.html": PAGE.replace('type="module" src="./main.js"', 'src="./classic.js"') });
  const classic = `import("/node_modules/ingot-state/index.js").then(({ IngotError, open }) => {${PROGRAM}${shown("program()")}});`;
  await write(root, { "classic.js": classic });
  await holds(root, "/index.html", IN_BOTH);
  await holds(root, "/classic.html");
  const inline = await project("plain-inline", { "main.js": main("/node_modules/ingot-state/inline.js") });
  const requests = await holds(inline, "/index.html", IN_BOTH);
  assert.ok(!requests.some((path) => path.endsWith(".wasm")), "the engine is in the JavaScript");
});

test("vite build of ./slim has no engine", async () => {
  const text = `import { open } from "ingot-state/slim";\n${shown('open().catch(({ code }) => code)')}`;
  const root = await project("slim", { "main.js": text });
  await viteBuild({ root, logLevel: "error", base: "./", build: { outDir: "out" } });
  await holds(join(root, "out"), undefined, "ERR_OPTIONS");
  const files = await readdir(join(root, "out"), { recursive: true });
  assert.deepEqual(files.filter((name) => name.endsWith(".wasm")), []);
});
