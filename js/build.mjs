// npm run build: makes what the package has besides its modules, in build/.
//
//	build/cjs/          the modules as CommonJS, for require() in Node, and their types
//	build/engine-inline.js  dist/engine.wasm as text, for ./inline
//
// The CommonJS modules are made by TypeScript, which the types need in any case, one file
// each: a store of `ingot-state` must be the same class in `ingot-state/mcp`, and bundles
// of each entry would have a copy of it each.
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { textOf } from "./inline-code.js";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const CJS = "build/cjs";
const FOLDERS = ["", "persist", "tools", "mcp", "worker", "adapters"];
// inline.js is for browsers; what starts worker.js starts the ES module.
const NOT_CJS = new Set(["inline.js", "inline-code.js", "worker.js"]);

async function modules(ending) {
  const names = await Promise.all(FOLDERS.map(async (folder) => (await readdir(join(ROOT, folder))).map((name) => posix.join(folder, name))));
  return names.flat().filter((name) => name.endsWith(ending));
}

// A module's import.meta.url stays what it is in the ES module: the files beside it,
// engine.wasm and worker.js, are there once.
function commonJS(name, source) {
  const up = posix.relative(posix.join(CJS, posix.dirname(name)), name);
  const url = `const moduleURL = require("node:url").pathToFileURL(require("node:path").join(__dirname, ${JSON.stringify(up)})).href;\n`;
  const text = source.includes("import.meta.url") ? url + source.replaceAll("import.meta.url", "moduleURL") : source;
  const { outputText, diagnostics } = ts.transpileModule(text, {
    fileName: name,
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, allowJs: true },
  });
  if (diagnostics.length > 0) throw new Error(`${name}: ${ts.flattenDiagnosticMessageText(diagnostics[0].messageText, " ")}`);
  return outputText;
}

async function buildCommonJS() {
  await rm(join(ROOT, CJS), { recursive: true, force: true });
  for (const name of await modules(".js")) {
    if (NOT_CJS.has(name)) continue;
    const path = join(ROOT, CJS, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, commonJS(name, await readFile(join(ROOT, name), "utf8")));
  }
  for (const name of await modules(".d.ts")) {
    await mkdir(dirname(join(ROOT, CJS, name)), { recursive: true });
    await copyFile(join(ROOT, name), join(ROOT, CJS, name));
  }
  await writeFile(join(ROOT, CJS, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
}

async function buildInline() {
  const text = textOf(await readFile(join(ROOT, "dist/engine.wasm")));
  await writeFile(join(ROOT, "build/engine-inline.js"), `/* dist/engine.wasm, see inline-code.js */\nexport const engineText = "${text}";\n`);
}

await mkdir(join(ROOT, "build"), { recursive: true });
await Promise.all([buildCommonJS(), buildInline()]);
