// What the package weighs, minified and packed as a page gets it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

// The most that each may weigh, in bytes. A change of 200 bytes in the engine moves what
// brotli makes of ./inline by 11,000.
const LIMITS = {
  "JavaScript of ., min+gzip": 9_400,
  "JavaScript of ./slim, min+gzip": 9_400,
  "engine.wasm, brotli": 560_000,
  "./inline, min+brotli": 620_000,
};

const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length;

// What a page loads before it can call open(), in one file. What kept stores and workers
// need is imported when it is asked for.
async function loaded(entry) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: PACKAGE, entryPoints: [entry], bundle: true, minify: true, format: "esm",
    external: ["./persist/*", "./worker/*"], write: false, logLevel: "silent",
  });
  return outputFiles[0].contents;
}

test("the package stays small", async (t) => {
  const [main, slim, inline] = await Promise.all(["index.js", "slim.js", "inline.js"].map(loaded));
  const wasm = await readFile(`${PACKAGE}dist/engine.wasm`);
  const sizes = {
    "JavaScript of ., min+gzip": gzipSync(main, { level: 9 }).length,
    "JavaScript of ./slim, min+gzip": gzipSync(slim, { level: 9 }).length,
    "engine.wasm, brotli": brotli(wasm),
    "./inline, min+brotli": brotli(inline),
  };
  t.diagnostic(`engine.wasm: ${wasm.length} bytes, gzip ${gzipSync(wasm, { level: 9 }).length}; ./inline: ${inline.length}, gzip ${gzipSync(inline, { level: 9 }).length}`);
  for (const [what, size] of Object.entries(sizes)) {
    t.diagnostic(`${what}: ${size}`);
    assert.ok(size <= LIMITS[what], `${what}: ${size} bytes, at most ${LIMITS[what]} are allowed`);
  }
});
