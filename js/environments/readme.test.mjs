// The examples of README.md: each runs, in Node or in a page, and gives what it says
// behind "=>"; and every public name is in one of them.
import assert from "node:assert/strict";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PAGE, install, pack, run, serve, shown, startBrowser, temporary, write } from "./project.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const readme = await readFile(here("../README.md"), "utf8");
const examples = [...readme.matchAll(/^```js( page)?\n([\s\S]*?)^```$/gm)].map(([, page, text]) => ({ inPage: page !== undefined, text, line: readme.slice(0, readme.indexOf(text)).split("\n").length }));

// Chromium writes to its profile in there until it is closed.
const dir = await temporary((remove) => after(async () => {
  await browser.close();
  await remove();
}));
await install(await pack(dir), dir);
for (const name of ["abstract-level", "keyv", "unstorage"]) await symlink(here(`node_modules/${name}`), join(dir, "node_modules", name));
await cp(here("../../guest/examples/c-sha256/sha256.wasm"), join(dir, "sha256.wasm"));
const browser = await startBrowser(join(dir, "profile"));

// What Node and a page both can compare with; bytes and bigints have no JSON.
const CHECK = `
const show = (value) => JSON.stringify(value, (key, one) => (one instanceof Uint8Array ? ["bytes", ...one] : typeof one === "bigint" ? one + "n" : one)) + "";
let checked = 0;
const check = (line, found, wanted) => {
  checked++;
  if (show(found) !== show(wanted)) throw new Error("line " + line + ": " + show(found) + ", not " + show(wanted));
};
`;

// program makes a program of an example: each statement with a "=>" behind it is checked.
function program({ text, line }) {
  const lines = text.split("\n").map((source, i) => source.replace(/^(\s*)(.+); \/\/ => (.+)$/, (_, indent, found, wanted) => `${indent}check(${line + i}, (${found}), (${wanted}));`));
  const [, imports, body] = /^((?:import .*\n)+)([\s\S]*)$/.exec(lines.join("\n"));
  return { imports, body };
}

test("there are examples, and each has something to check", () => {
  assert.ok(examples.length >= 12, `there are ${examples.length}`);
  for (const { text, line } of examples) assert.match(text, /; \/\/ => /, `the example at line ${line}`);
});

for (const example of examples.filter(({ inPage }) => !inPage)) {
  test(`the example at line ${example.line}`, async () => {
    const { imports, body } = program(example);
    const name = `example-${example.line}.mjs`;
    await write(dir, { [name]: `${imports}${CHECK}${body}\nif (checked > 0) console.log("checked");\n` });
    const { stdout } = await run(process.execPath, [join(dir, name)], { cwd: dir });
    assert.equal(stdout.trim().split("\n").at(-1), "checked");
  });
}

for (const example of examples.filter(({ inPage }) => inPage)) {
  test(`the example at line ${example.line}, in a page`, async (t) => {
    const { imports, body } = program(example);
    const main = imports.replaceAll('"ingot-state"', '"/node_modules/ingot-state/index.js"').replaceAll('"ingot-state/mcp"', '"/node_modules/ingot-state/mcp/index.js"');
    await write(dir, { "main.js": `${main}${CHECK}${shown(`(async () => {\n${body}\nreturn checked;\n})()`)}`, "index.html": PAGE });
    const server = await serve(dir);
    t.after(() => server.close());
    const { title } = await browser.result(`${server.origin}/index.html`);
    assert.match(title, /^done [1-9]/);
  });
}

// Names of types alone are described where they are declared.
test("every public name is in an example", async () => {
  const all = examples.map(({ text }) => text).join("\n");
  const missing = [];
  for (const file of ["index.d.ts", "tools.d.ts", "mcp.d.ts", "adapters/keyv.d.ts", "adapters/unstorage.d.ts", "adapters/abstract-level.d.ts"]) {
    const text = await readFile(here(`../${file}`), "utf8");
    const names = [...text.matchAll(/^export (?:abstract )?(?:function|class|const) (\w+)/gm)].map(([, name]) => name);
    const classes = file.startsWith("adapters/") ? [] : [...text.matchAll(/^export class \w+[^{]*\{([\s\S]*?)^\}/gm)]; // the libraries describe their adapters
    const members = classes.flatMap(([, body]) => [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(?:]/gm)].map(([, name]) => name)).filter((name) => name !== "constructor");
    const options = [...text.matchAll(/^export interface (?:OpenOptions|SetOptions|DeleteOptions|ListOptions|WatchOptions|LoadOptions|CallOptions)\b[^{]*\{([\s\S]*?)^\}/gm)];
    const properties = options.flatMap(([, body]) => [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name));
    for (const name of [...names, ...members, ...properties]) if (!new RegExp(`\\b${name}\\b`).test(all)) missing.push(`${file}: ${name}`);
  }
  // A Channel is what stdio() makes; a signal is what every JavaScript knows.
  assert.deepEqual(missing, ["tools.d.ts: signal", "mcp.d.ts: Channel"]);
});
