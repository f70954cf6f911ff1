// The conformance scripts in a page of headless Chromium, and the ways in which
// a page gets the engine's file.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { openPage } from "./browser.mjs";

const here = (path) => new URL(path, import.meta.url);

let browser;
before(async () => (browser = await openPage()));
after(async () => await browser?.close());

const names = (await readdir(here("scripts"))).filter((name) => name.endsWith(".txt"));
assert.ok(names.length > 0, "there are no scripts");

for (const name of names) {
  test(`Chromium runs ${name}`, async () => {
    const script = await readFile(here(`scripts/${name}`), "utf8");
    const { output } = await browser.run(script, { "snapshot-v1.bin": await readFile(here("testdata/snapshot-v1.bin")) });
    assert.equal(output, script);
  });
}

test("the page had nothing to complain about", () => {
  assert.deepEqual(browser.complaints, []); // errors, and breaches of the security policy
});

/** opening opens a store in the page from a URL and returns its first version, or the error's code. */
function opening(url) {
  return browser.page.evaluate(async (wasm) => {
    try {
      const store = await window.ingot.open({ wasm });
      const version = store.set("k", "v");
      await store.close();
      return version;
    } catch (error) {
      return error.code;
    }
  }, url);
}

test("a page opens the engine from any URL, whatever its media type", async () => {
  assert.equal(await opening("/js/dist/engine.wasm"), 1);
  assert.equal(await opening("../js/dist/engine.wasm?type=application/octet-stream"), 1);
  assert.equal(await opening("/js/dist/engine.wasm?type=text/html"), 1);
});

test("a page is told what is wrong with the engine's file", async () => {
  assert.equal(await opening("/js/dist/engine.wasm?end=100000"), "ERR_WASM");
  assert.equal(await opening("/js/dist/engine.wasm?end=100000&type=text/plain"), "ERR_WASM");
  assert.equal(await opening("/js/index.js?type=application/wasm"), "ERR_WASM");
  assert.equal(await opening("/js/dist/none.wasm"), "ERR_WASM_LOAD");
  assert.equal(await opening("http://127.0.0.1:1/engine.wasm"), "ERR_WASM_LOAD");
  assert.equal(await opening("https://[/"), "ERR_WASM_LOAD");
});

test("persistence that a page lacks is refused, not ignored", async () => {
  const codes = await browser.page.evaluate(async () => {
    const refused = [];
    for (const persist of ["opfs", "fs"]) await window.ingot.open({ persist }).catch((error) => refused.push(error.code));
    return refused;
  });
  assert.deepEqual(codes, Array(2).fill("ERR_PERSIST_UNSUPPORTED"));
});

test("a watcher wakes a loop in the page", async () => {
  const heard = await browser.page.evaluate(async () => {
    const store = await window.ingot.open();
    const watcher = store.watch({ prefix: "a/", values: true });
    setTimeout(() => store.set("a/1", "v"));
    for await (const { key, value } of watcher) return [key, [...value], store.stats().keys];
  });
  assert.deepEqual(heard, ["a/1", [118], 1]);
});
