// The page of a server that asks for a token: its files are for everybody, its
// state is for those who enter one. Run as page.test.mjs is.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PaneDriver, axePath, launch, serve } from "./ingot.mjs";

const token = "0123456789abcdef-of-this-test";
const folder = mkdtempSync(join(tmpdir(), "ingot-token-"));
const file = join(folder, "token");
writeFileSync(file, token);

let browser, server;
before(async () => {
  browser = await launch();
  server = await serve({ args: ["--token-file", file] });
});
after(async () => {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** Runs body with a page of its own; requests are the Authorization headers that it sent to /mcp. */
async function withPage(body) {
  const session = await browser.newContext();
  session.setDefaultTimeout(60_000); // only a failure meets it
  const page = await session.newPage();
  const errors = [];
  const requests = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (r) => r.url().endsWith("/mcp") && requests.push(r.headers().authorization));
  try {
    await page.goto(server.origin);
    await page.locator("html[data-ready]").waitFor();
    await body({ page, requests, tab: new PaneDriver(page, "tab"), remote: new PaneDriver(page, "server") });
    assert.deepEqual(errors, []);
  } finally {
    await session.close();
  }
}

async function connect(remote, text) {
  await remote.root.getByLabel("Token").fill(text);
  await remote.button("Connect").click();
}

test("without a token there is the tab, and nothing of the server", () => withPage(async ({ page, requests, tab, remote }) => {
  await tab.set("mine", "1");
  await remote.root.getByLabel("Token").waitFor();
  assert.ok(!(await remote.key.isVisible()) && !(await remote.facts.isVisible()));
  assert.deepEqual(requests, [], "nothing is asked for without a token");
  const info = await (await fetch(`${server.origin}/info.json`)).json();
  assert.deepEqual([info.version, info.backend, info.auth], ["", "", "token"]);
  await page.evaluate(readFileSync(axePath, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((v) => v.help), []);
}));

test("a wrong token is told, the right one opens the state and lasts for the tab", () => withPage(async ({ page, requests, remote }) => {
  await connect(remote, "0123456789abcdef-of-nobody");
  await remote.outage.filter({ hasText: "did not take the token" }).waitFor();
  assert.ok(await remote.root.getByLabel("Token").isVisible());
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await connect(remote, token);
  await remote.set("k", "v");
  await remote.branch("k").waitFor();
  assert.equal(await remote.outage.textContent(), "");
  assert.equal(requests.at(-1), `Bearer ${token}`);
  await page.reload();
  await remote.branch("k").waitFor();
  assert.equal(await remote.root.getByLabel("Token").count(), 0);
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
  assert.match(await page.locator("#config").textContent(), /"Authorization": "Bearer \$\{INGOT_TOKEN\}"/);
}));

test("another tab asks again, and so does a page whose token is taken back", () => withPage(async ({ page, remote }) => {
  await connect(remote, token);
  await remote.button("Set").waitFor();
  await page.route("**/mcp", (route) => route.fulfill({ status: 401, body: "the token has expired" }));
  await remote.root.getByLabel("Token").waitFor();
  await remote.outage.filter({ hasText: "the token has expired" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await connect(remote, token);
  await remote.button("Set").waitFor();
}));

for (const [view, waited] of [["tools", ".tool-list .tool-name"], ["traffic", ".traffic .facts dd"]]) {
  test(`the view ${view} asks for the token too, and is there once it has one`, () => withPage(async ({ page, requests }) => {
    await page.evaluate((hash) => (location.hash = hash), `#${view}`);
    const part = page.locator(`#view-${view}`);
    await part.getByLabel("Token").waitFor();
    assert.ok(await part.locator(waited).first().isHidden());
    assert.deepEqual(requests, []);
    await page.evaluate(readFileSync(axePath, "utf8"));
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map((v) => v.help), []);
    await part.getByLabel("Token").fill("0123456789abcdef-of-nobody");
    await part.getByRole("button", { name: "Connect" }).click();
    await page.waitForFunction((id) => document.querySelector(`#view-${id} .outage`).textContent.includes("did not take the token"), view);
    await part.getByLabel("Token").fill(token);
    await part.getByRole("button", { name: "Connect" }).click();
    await part.locator(waited).first().waitFor();
    assert.equal(await part.getByLabel("Token").count(), 0);
  }));
}
