// examples/js-node, js-page (a page and its worker) and js-vite, on the packed package.
import assert from "node:assert/strict";
import { cp, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";
import { FLAGS, install, pack, run, serve, temporary } from "./project.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

// Chromium writes to its profile in there until it is closed.
const dir = await temporary((remove) => after(async () => {
  await context.close();
  await remove();
}));
const archive = await pack(dir);
const context = await chromium.launchPersistentContext(join(dir, "profile"), { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

test("each example says what it is, how to run it and what to see", async () => {
  for (const name of (await readdir(EXAMPLES)).filter((name) => name.startsWith("js-"))) {
    const readme = await readFile(join(EXAMPLES, name, "README.md"), "utf8");
    assert.match(readme, /^# .+\n\n.+[\s\S]*```console\n\$ npm install\n/, name);
    const { scripts = {}, dependencies } = JSON.parse(await readFile(join(EXAMPLES, name, "package.json"), "utf8"));
    for (const [, script] of readme.matchAll(/npm run (\w+)/g)) assert.ok(scripts[script], `${name} has a script ${script}`);
    assert.ok(dependencies["ingot-state"], name);
  }
});

async function example(name) {
  const root = join(dir, name);
  await cp(join(EXAMPLES, name), root, { recursive: true, filter: (path) => !path.endsWith("node_modules") });
  await install(archive, root);
  return root;
}

test("js-node counts its runs", async () => {
  const main = join(await example("js-node"), "main.mjs");
  const counted = async () => (await run(process.execPath, [main, join(dir, "data")])).stdout.trim();
  assert.equal(await counted(), "run 1; of the last day: run/1");
  assert.equal(await counted(), "run 2; of the last day: run/1 run/2");
});

test("js-page counts visits, and an older tab shows a later one", async (t) => {
  const server = await serve(await example("js-page"));
  t.after(() => server.close());
  const visited = async (count) => {
    const page = await context.newPage();
    await page.goto(`${server.origin}/index.html`);
    await page.getByText(`here ${count} times`).waitFor();
    return page;
  };
  const first = await visited(1);
  await visited(2);
  await first.getByText("here 2 times").waitFor();
});

test("js-vite shows the notes that are added", async (t) => {
  const root = await example("js-vite");
  await build({ root, logLevel: "error" });
  const server = await serve(join(root, "dist"));
  t.after(() => server.close());
  const page = await context.newPage();
  await page.goto(`${server.origin}/index.html`, { waitUntil: "networkidle" });
  for (const text of ["rain", "sun"]) {
    await page.getByLabel("Note").fill(text);
    await page.getByRole("button").click();
    await page.getByRole("listitem").filter({ hasText: text }).waitFor();
  }
  assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["rain", "sun"]);
});
