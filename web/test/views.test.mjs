// The views Tools and Traffic over real servers: that of a forge.yaml, and the
// store. Run as page.test.mjs is.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PaneDriver, axePath, call, goTo, launch, serve } from "./ingot.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "ingot-views-"));
const sizes = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

let browser, forge;
before(async () => {
  browser = await launch();
  forge = await serve({ config: here("fixtures/forge.yaml") });
});
after(async () => {
  await browser.close();
  await forge.stop();
  console.log(`screenshots: ${screenshots}`);
});

/** Runs body with a page at a view of a server; it fails when the page complains, of its security policy too. */
async function at(server, view, body, context = {}) {
  const session = await browser.newContext({ viewport: sizes.desk, ...context });
  session.setDefaultTimeout(60_000); // only a failure meets it
  const page = await session.newPage();
  const complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  try {
    await page.goto(`${server.origin}/#${view}`);
    await page.locator("html[data-ready]").waitFor();
    await body(page);
    assert.deepEqual(complaints, []);
  } finally {
    await session.close();
  }
}

const callButton = (page) => page.getByRole("button", { name: "Call", exact: true });
const note = (page) => page.locator(".tool-panel .note");
const noteIs = (page, text) => note(page).filter({ hasText: text }).waitFor();
const answer = async (page) => JSON.parse(await page.getByRole("group", { name: "Structured result" }).textContent());

async function checkLooks(page, name) {
  await page.evaluate(readFileSync(axePath, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), [], `axe-core on ${name}`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name}: nothing sticks out`);
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

test("a forge.yaml has Tools, Traffic and Local, and no State; the address says which", () => at(forge, "", async (page) => {
  assert.deepEqual(await page.locator("#views li:visible").allTextContents(), ["Tools", "Traffic", "Local"]);
  assert.deepEqual(await page.locator(".tool-list .tool-name").allTextContents(), ["describe", "fails", "narrow", "remembered", "sha256", "slow"]);
  await page.getByRole("link", { name: "Tools" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.locator("#view-traffic:visible").waitFor();
  assert.equal(new URL(page.url()).hash, "#traffic");
  await goTo(page, "local");
  const tab = new PaneDriver(page, "tab");
  await tab.set("here", "1");
  assert.ok(await tab.button("Send to the server").isHidden(), "this server keeps no state for the page");
  await page.goBack();
  await page.locator("#view-traffic:visible").waitFor();
}));

test("a form checks each field, and sends what is filled in", () => at(forge, "tools/describe", async (page) => {
  const field = (name) => page.locator(`[name="argument:${name}"]`);
  const problem = (name) => page.locator(".argument").filter({ has: field(name) }).locator(".field-problem");
  const says = (name, text) => problem(name).filter({ hasText: text }).waitFor();
  assert.equal(await field("count").inputValue(), "3", "the default is filled in");
  await callButton(page).click();
  await says("name", "This is required.");
  assert.equal(await field("name").getAttribute("aria-invalid"), "true");
  assert.ok(await field("name").evaluate((e) => e === document.activeElement), "the first problem has the focus");
  for (const [name, text, wrong] of [
    ["name", "A", "This needs 2 characters at least; it has 1."], ["count", "11", "This is 10 at most."], ["count", "1.5", "a whole number"],
    ["ratio", "half", "This has to be a number"], ["tags", "[1", "This is not JSON"], ["tags", "{}", "This has to be an array."],
  ]) {
    await field(name).fill(text);
    await callButton(page).click();
    await says(name, wrong);
  }
  assert.equal(await note(page).textContent(), "", "nothing was sent");
  await field("name").fill("Ada");
  await field("count").fill("2");
  await field("ratio").fill("-0.5");
  await field("kind").selectOption("fancy");
  await field("loud").selectOption("true");
  await field("tags").fill('["a", "b"]');
  await field("more").fill('{"x": {"y": 1}}');
  await field("name").press("Enter");
  await noteIs(page, /Done in [\d.]+ m?s/);
  const wanted = { name: "Ada", count: 2, ratio: -0.5, kind: "fancy", loud: true, tags: ["a", "b"], more: { x: { y: 1 } } };
  assert.deepEqual(await answer(page), wanted);
  await page.getByRole("button", { name: "Edit as JSON" }).click();
  const text = page.getByLabel("Arguments, as JSON").locator("visible=true");
  assert.deepEqual(JSON.parse(await text.inputValue()), wanted);
  await text.fill('{"name": "Ada", "strange": 1}');
  await callButton(page).click();
  await page.locator(".tool-panel .problem").filter({ hasText: "There is no strange here." }).waitFor();
  await text.fill('{"name": "Grace", "count": 4}');
  await page.getByRole("button", { name: "Edit as a form" }).click();
  assert.deepEqual([await field("name").inputValue(), await field("count").inputValue()], ["Grace", "4"]);
}));

test("a tool that tells while it runs is cancelled", () => at(forge, "tools/slow", async (page) => {
  await callButton(page).click();
  await page.locator(".tool-panel .log li").filter({ hasText: "second" }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await noteIs(page, "Cancelled after");
  await page.waitForFunction(async () => (await (await fetch("/status")).json()).tools.find((t) => t.name === "slow").in_flight === 0);
}));

test("what a tool of a module may have is shown, and it runs", () => at(forge, "tools/sha256", async (page) => {
  await page.locator(".badges li").filter({ hasText: "may only compute" }).waitFor();
  await page.locator('[name="argument:text"]').fill("abc");
  await callButton(page).click();
  await page.locator(".answer").filter({ hasText: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }).waitFor();
}));

test("images are shown, and what is no known content", () => at(forge, "traffic", async (page) => {
  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await page.route("**/mcp", async (route) => {
    if (route.request().headers()["mcp-method"] !== "tools/call") return route.continue();
    const { id } = route.request().postDataJSON();
    const content = [{ type: "image", data: pixel, mimeType: "image/png" }, { type: "text", text: "<b>text</b>" }];
    await route.fulfill({ json: { jsonrpc: "2.0", id, result: { resultType: "complete", content, isError: true } } });
  });
  await goTo(page, "tools/fails");
  await callButton(page).click();
  await noteIs(page, "The tool failed after");
  await page.waitForFunction(() => document.querySelector(".answer img")?.naturalWidth === 1);
  assert.equal(await page.getByRole("group", { name: "Text", exact: true }).textContent(), "<b>text</b>");
  await page.unrouteAll({ behavior: "ignoreErrors" });
}));

test("Traffic counts calls, classes of errors and an open breaker, and draws them", () => at(forge, "traffic", async (page) => {
  const card = page.locator(".traffic-tools .card").filter({ hasText: "fails" });
  await page.locator(".traffic .facts dd").first().waitFor(); // a first look, which the second one is compared with
  for (let i = 0; i < 3; i++) await call(forge.origin, "fails", {});
  await card.locator(".badges li").filter({ hasText: "circuit breaker: open" }).waitFor();
  await card.locator(".badges li").filter({ hasText: /2 failed/ }).waitFor();
  await card.locator("svg .bar.bad").first().waitFor({ state: "attached" });
  const { calls, buckets } = await page.evaluate(async () => (await (await fetch("/status")).json()).tools.find((t) => t.name === "fails"));
  assert.equal(buckets.reduce((a, b) => a + b), calls);
  assert.match(await card.textContent(), new RegExp(`Calls${calls}.*p99≤ `));
}));

test("Traffic draws a cache, a limit, a bulkhead, a breaker and a module's instances", () => at(forge, "traffic", async (page) => {
  const card = (name) => page.locator(".traffic-tools .card").filter({ has: page.getByRole("link", { name, exact: true }) });
  const badge = (name, text) => card(name).locator(".badges li").filter({ hasText: text });
  for (let i = 0; i < 6; i++) await call(forge.origin, "remembered", { word: i === 0 ? "other" : "same" });
  await badge("remembered", /^ratelimit.*refused 2/).waitFor();
  const cache = badge("remembered", /^cache \(50 % hits.*entries 2/);
  await cache.waitFor();
  assert.equal(await cache.locator(".part-good").getAttribute("width"), "30", "half of the bar");
  const calling = new AbortController();
  const calls = [1, 2, 3].map(() => call(forge.origin, "narrow", {}, calling.signal).catch(() => {}));
  const bulkhead = badge("narrow", /^bulkhead \(refused 1, running 1, waiting 1\)/);
  await bulkhead.waitFor();
  assert.deepEqual([await bulkhead.locator(".slot.full").count(), await bulkhead.locator(".slot").count()], [1, 2]);
  calling.abort();
  await Promise.all(calls);
  await badge("narrow", /^bulkhead \(refused 1\)/).waitFor();
  for (let i = 0; i < 3; i++) await call(forge.origin, "fails", {});
  const breaker = badge("fails", /open.*tries again in \d/);
  await breaker.waitFor();
  assert.deepEqual(await breaker.locator(".lamp").evaluateAll((all) => all.map((e) => e.classList.contains("lit"))), [false, false, true]);
  await call(forge.origin, "sha256", { text: "abc" });
  const module = page.locator(".modules .card").first();
  await module.filter({ hasText: /Calls[1-9].*Instances[1-9]/ }).waitFor();
  assert.ok((await module.locator(".slot").count()) > 0);
  await checkLooks(page, "desk-gauges");
}));

test("a file that was changed changes the list", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ingot-forge-"));
  const file = join(folder, "forge.yaml");
  const tool = (name) => `  - {type: native, name: ${name}, description: A tool, handler: {inline: '"x"'}}\n`;
  const head = "forge: {name: changing, version: 1.0.0, transport: http, port: 7099}\ntools:\n";
  writeFileSync(file, head + tool("one"));
  const server = await serve({ config: file });
  try {
    await at(server, "tools", async (page) => {
      await page.getByRole("heading", { name: "one" }).waitFor();
      writeFileSync(file, head + tool("one") + tool("two"));
      server.signal("SIGHUP");
      await page.locator(".tool-list .tool-name").filter({ hasText: "two" }).waitFor();
    });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
});

test("the store's tools and traffic, too", async () => {
  const server = await serve();
  try {
    await at(server, "tools/state_set", async (page) => {
      await page.locator('[name="argument:key"]').fill("from:tools");
      await page.locator('[name="argument:value"]').fill("1");
      await callButton(page).click();
      await noteIs(page, "Done in");
      await goTo(page, "state");
      await new PaneDriver(page, "server").branch("from:tools").waitFor();
      await goTo(page, "traffic");
      await page.locator(".card h3").filter({ hasText: "state_set" }).waitFor();
    });
  } finally {
    await server.stop();
  }
});

test("a server that keeps its figures to itself", async () => {
  const server = await serve({ args: ["--metrics-disabled"] });
  try {
    const session = await browser.newPage();
    await session.goto(`${server.origin}/#traffic`);
    await session.locator("#view-traffic .outage").filter({ hasText: "--metrics-disabled" }).waitFor();
    await session.close();
  } finally {
    await server.stop();
  }
});

test("the benchmark measures and draws all", () => at(forge, "local", async (page) => {
  await page.getByText("Measure this tab").click();
  await page.getByRole("button", { name: "Measure" }).click();
  await page.locator("#bench .note").filter({ hasText: "Done." }).waitFor();
  assert.deepEqual(await page.locator("#bench tbody th").allTextContents(), ["ingot, in memory", "Map, with copies", "localStorage", "ingot, durable", "durable, 64 at once", "IndexedDB", "IndexedDB, 64 at once"]);
  assert.equal(await page.locator("#bench rect").count(), 14, "two bars each");
  assert.deepEqual(await page.evaluate(async () => {
    const kept = [];
    for await (const folder of (await navigator.storage.getDirectory()).values()) for await (const store of folder.keys()) kept.push(store);
    return [localStorage.length, (await indexedDB.databases()).length, kept];
  }), [0, 0, []], "nothing stays");
  await checkLooks(page, "desk-bench");
  await page.setViewportSize(sizes.phone);
  await checkLooks(page, "phone-bench");
}));

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${size}, ${colorScheme}: accessible, nothing sticks out`, () => at(forge, "tools/describe", async (page) => {
      const name = (view) => `${size}-${colorScheme}-${view}`;
      await callButton(page).click();
      await page.locator(".field-problem").filter({ hasText: "required" }).waitFor();
      await checkLooks(page, name("tools-problem"));
      await page.locator('[name="argument:name"]').fill("Ada");
      await callButton(page).click();
      await noteIs(page, "Done in");
      await checkLooks(page, name("tools"));
      await goTo(page, "traffic");
      await page.locator(".traffic .facts dd").first().waitFor();
      await call(forge.origin, "describe", { name: "Ada" });
      await page.locator(".traffic-tools svg .bar").first().waitFor({ state: "attached" });
      await checkLooks(page, name("traffic"));
      await goTo(page, "local");
      await page.locator("#tab:visible").waitFor();
      await checkLooks(page, name("local"));
    }, { viewport, colorScheme }));
  }
}
