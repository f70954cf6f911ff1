// The State view's tree, editor, history, export and import, in both panes, over a
// real server. Run as page.test.mjs is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PaneDriver, axePath, binary, call, launch, serve } from "./ingot.mjs";

const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "ingot-state-"));
const folder = mkdtempSync(join(tmpdir(), "ingot-files-"));
const sizes = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

let browser, server;
before(async () => {
  browser = await launch();
  server = await serve();
});
after(async () => {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true });
  console.log(`screenshots: ${screenshots}`);
});

/** Runs body with a page whose panes are empty; it fails when the page complains. */
async function withPage(body, context = {}) {
  const { entries } = await call(server.origin, "state_list", { limit: 1000 });
  for (const { key } of entries) await call(server.origin, "state_delete", { key });
  const session = await browser.newContext({ viewport: sizes.desk, acceptDownloads: true, ...context });
  session.setDefaultTimeout(60_000); // only a failure meets it
  const page = await session.newPage();
  const complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  try {
    await page.goto(server.origin);
    await page.locator("html[data-ready]").waitFor();
    await body({ page, tab: new PaneDriver(page, "tab"), remote: new PaneDriver(page, "server") });
    assert.deepEqual(complaints, []);
  } finally {
    await session.close();
  }
}

const put = (key, value, more = {}) => call(server.origin, "state_set", { key, value, ...more });
const says = (locator, text) => locator.filter({ hasText: text }).waitFor();
const rows = (pane) => pane.tree.locator(".branch-label").allTextContents();

/** Waits until a pane's tree has these rows. */
async function rowsAre(pane, wanted) {
  await pane.root.page().waitForFunction(([id, wanted]) => {
    const found = [...document.querySelectorAll(`#${id} .tree .branch-label`)].map((e) => e.textContent);
    return JSON.stringify(found) === JSON.stringify(wanted);
  }, [await pane.root.getAttribute("id"), wanted]).catch(async () => assert.deepEqual(await rows(pane), wanted));
}

async function checkLooks(page, name) {
  await page.evaluate(readFileSync(axePath, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), [], `axe-core on ${name}`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name}: nothing sticks out`);
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

test("a tree of prefixes opens, counts, follows what others change, and is searched", () => withPage(async ({ remote }) => {
  for (const key of ["user:1:name", "user:1:mail", "user:2:name", "session/a", "config.app.name", "a/b/c/1", "a/b/c/2", "top"]) await put(key, "x");
  await rowsAre(remote, ["a/b/c/", "config.app.name", "session/a", "top", "user:"]);
  assert.equal(await remote.branch("user:").locator(".count").textContent(), "3");
  await remote.branch("user:").click();
  await rowsAre(remote, ["a/b/c/", "config.app.name", "session/a", "top", "user:", "1:", "2:name"]);
  await remote.branch("1:").click();
  await remote.branch("mail").waitFor();
  assert.equal(await remote.branch("mail").getAttribute("aria-level"), "3");
  await put("user:1:zip", "4711", { ttl_seconds: 100 });
  await says(remote.branch("zip"), /1 min [34]\d s left.*4 B/);
  await says(remote.branch("user:").locator(".count"), "4");
  await call(server.origin, "state_delete", { key: "user:1:mail" });
  await remote.branch("mail").waitFor({ state: "detached" });
  await remote.filter.fill("NAME");
  await rowsAre(remote, ["config.app.name", "user:", "1:name", "2:name"]);
  await says(remote.root.locator(".tree-note"), "3 of 8 keys");
  await remote.filter.fill("nowhere");
  await says(remote.root.locator(".empty"), "No key has “nowhere” in it.");
  await remote.filter.fill("");
  await remote.branch("top").click();
  await says(remote.note, "top is open at version");
  assert.equal(await remote.branch("top").getAttribute("aria-selected"), "true");
}));

for (const id of ["tab", "remote"]) {
  test(`${id}: the tree by keyboard alone`, () => withPage(async (drivers) => {
    const pane = drivers[id];
    const { keyboard } = drivers.page;
    for (const key of ["a/1", "a/2", "b", "c/1", "c/2"]) await pane.set(key, key);
    await rowsAre(pane, ["a/", "b", "c/"]);
    const focused = () => drivers.page.evaluate(() => document.activeElement.querySelector(".branch-label")?.textContent);
    const press = async (key, label) => {
      await keyboard.press(key);
      assert.equal(await focused(), label, key);
    };
    assert.equal(await pane.tree.locator('[tabindex="0"]').count(), 1, "one row is reached by the tabulator");
    await pane.branch("a/").focus();
    await press("ArrowRight", "a/");
    assert.equal(await pane.branch("a/").getAttribute("aria-expanded"), "true");
    await press("ArrowRight", "1");
    await press("ArrowDown", "2");
    await press("ArrowDown", "b");
    await press("End", "c/");
    await press("Home", "a/");
    await press("c", "c/");
    await press("ArrowUp", "b");
    await press("ArrowUp", "2");
    await keyboard.press("Enter");
    await says(pane.note, "a/2 is open");
    assert.equal(await pane.value.inputValue(), "a/2");
    await press("ArrowLeft", "a/");
    await press("ArrowRight", "1");
    await keyboard.press("Delete");
    await says(pane.note, "Deleted a/1.");
    await rowsAre(pane, ["a/2", "b", "c/"]);
    await pane.button("Undo").click();
    await rowsAre(pane, ["a/", "1", "2", "b", "c/"]);
  }));
}

test("more keys than are read at once are told, read on, and found by a search", () => withPage(async ({ tab }) => {
  const lines = Array.from({ length: 4300 }, (_, i) => JSON.stringify({ key: `n/${String(i).padStart(5, "0")}`, value: "x" })).join("\n");
  await tab.transfer.locator("summary").click();
  await tab.transfer.locator("[name=file]").setInputFiles({ name: "many.jsonl", mimeType: "text/plain", buffer: Buffer.from(`${lines}\n{"key":"z","value":"last"}`) });
  await tab.transfer.getByRole("button", { name: "Import 4,301 entries" }).click();
  await says(tab.transfer.locator(".note"), "Stored 4,301 entries.");
  await says(tab.root.locator(".tree-note"), "The first 4,000 keys; there are more");
  await tab.branch("n/").click();
  assert.equal(await tab.branch("n/").locator(".count").textContent(), "4,000");
  assert.equal(await tab.tree.getByRole("treeitem").count(), 1 + 200 + 1 + 1, "a prefix, 200 keys, and two rows that show more");
  await tab.tree.getByText("Show more: 3,800 of 4,000 are left").click();
  await tab.branch("00399").waitFor();
  await tab.filter.fill("n/0429");
  await tab.branch("n/0429").waitFor({ state: "detached" });
  await says(tab.root.locator(".tree-note"), "10 of");
  await tab.filter.fill("");
  await tab.tree.getByText("Read more keys").click();
  await says(tab.root.locator(".tree-note"), "4,301 keys");
  await tab.branch("z").waitFor();
}));

test("JSON is checked while it is typed, its fault shown in place, and laid out without change", () => withPage(async ({ remote }) => {
  await put("doc", '{"long":12345678901234567890,"a":[1,{"b":null}],"a":[],"o":{}}');
  await remote.branch("doc").click();
  await says(remote.note, "doc is open");
  assert.ok(await remote.format("JSON").isChecked());
  await says(remote.root.locator(".json-note"), "Valid JSON.");
  await remote.button("Pretty-print").click();
  assert.equal(await remote.value.inputValue(), '{\n  "long": 12345678901234567890,\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "a": [],\n  "o": {}\n}');
  await remote.button("Set").click();
  await says(remote.note, "Set doc");
  await remote.value.fill('{\n  "a": 1,\n}');
  await says(remote.root.locator(".json-note"), "Line 3, column 1: after a comma another element has to come, not }.");
  assert.ok(await remote.button("Pretty-print").isDisabled());
  await remote.button("Set").click();
  await says(remote.problem, "This is not JSON, so nothing was changed. Line 3, column 1");
  assert.equal(await remote.value.evaluate((e) => e.selectionStart), 12, "the place is marked");
  await remote.format("Text").click({ force: true });
  await remote.button("Set").click();
  await says(remote.note, "Set doc");
}));

test("faults of JSON, each with its place", () => withPage(async ({ page }) => {
  const faults = await page.evaluate(async () => {
    const { faultOf, pretty } = await import("/json.js");
    const texts = ["", "  ", "{", "[1 2]", '{"a" 1}', '{a:1}', '"abc', '"a\nb"', '"\\x"', "01", "1.", "tru", "nulls", "[1,]", '{"a":1} x', "é\n+", "[".repeat(600), "-", '{"a":1,,}'];
    for (const good of ["1e5", "-0.5E-3", '""', '"\\u00e9\\n"', "[]", "{}", " null ", '[[],{}]', "true"]) {
      if (faultOf(good) !== null || JSON.stringify(JSON.parse(pretty(good))) !== JSON.stringify(JSON.parse(good))) throw new Error(`${good} is JSON`);
    }
    return texts.map((text) => {
      const fault = faultOf(text);
      return fault && `${fault.line}:${fault.column} ${fault.why}`;
    });
  });
  assert.deepEqual(faults, [
    "1:1 the text ends where a value should be.", "1:3 the text ends where a value should be.", "1:2 the text ends where a name should be.",
    "1:4 a comma or ] is missing before “2”.", "1:6 a colon is missing behind the name.", "1:2 a name in double quotes is missing before “a”.",
    "1:1 this string is never closed.", "1:3 a string ends before its line does; write \\n for a new line.", '1:2 behind a backslash comes one of " \\ / b f n r t or u with four hex digits.',
    "1:1 a value is missing here; “0” begins none.", "1:1 a value is missing here; “1” begins none.", "1:1 a value is missing here; “t” begins none.", "1:1 a value is missing here; “n” begins none.",
    "1:4 after a comma another element has to come, not ].", "1:9 the value is complete, and “x” follows.", "1:1 a value is missing here; “é” begins none.",
    "1:502 there are more than 500 levels.", "1:1 a value is missing here; “-” begins none.", "1:8 a name in double quotes is missing before “,”.",
  ]);
}));

for (const id of ["tab", "remote"]) {
  test(`${id}: the time of an open entry is set and taken away, and its value stays`, () => withPage(async (drivers) => {
    const pane = drivers[id];
    await pane.set("k", "value");
    await says(pane.opened, /Open: version \d+, 5 B, stays for ever/);
    assert.ok(await pane.button("Keep for ever").isDisabled());
    await pane.value.fill("a draft");
    await pane.ttl.fill("100");
    await pane.button("Set the time only").click();
    await says(pane.note, "k ends in 100 s now.");
    await says(pane.opened, /version \d+, 5 B, 1 min [34]\d s left/);
    await says(pane.branch("k"), /1 min [34]\d s left/);
    await pane.button("Keep for ever").click();
    await says(pane.opened, /version \d+, 5 B, stays for ever/);
    await pane.button("Get").click();
    await says(pane.note, "k is open at version");
    assert.equal(await pane.value.inputValue(), "value");
    await pane.button("Delete").click();
    await says(pane.note, "Deleted k.");
    await says(pane.moved, "k is not there any more.");
    await pane.button("Keep mine").click();
    await pane.button("Set").click();
    await says(pane.note, "Set k, version");
  }));
}

test("what another changes meanwhile is told, and not overwritten unless asked to", () => withPage(async ({ remote }) => {
  await put("shared", "one");
  await remote.branch("shared").click();
  await says(remote.note, "shared is open");
  await remote.value.fill("mine");
  const { version } = await put("shared", "theirs");
  await says(remote.moved, `shared is at version ${version} by now`);
  await remote.button("Set").click();
  await says(remote.problem, `shared is at version ${version} by now, so nothing was changed.`);
  assert.equal((await call(server.origin, "state_get", { key: "shared" })).value, "theirs");
  await remote.button("Show it").click();
  await says(remote.note, `shared is open at version ${version}.`);
  assert.equal(await remote.value.inputValue(), "theirs");
  await remote.moved.waitFor({ state: "hidden" });
  await put("shared", "theirs again");
  await says(remote.moved, "by now");
  await remote.value.fill("mine after all");
  await remote.button("Keep mine").click();
  await remote.button("Set").click();
  await says(remote.note, "Set shared");
  assert.equal((await call(server.origin, "state_get", { key: "shared" })).value, "mine after all");
}));

test("the history tells sets, deletes and ends, by whomever; a click opens the key", () => withPage(async ({ page, tab, remote }) => {
  const line = (pane, kind, key) => pane.history.getByRole("listitem").filter({ hasText: kind }).filter({ has: page.getByRole("button", { name: key, exact: true }) }).first();
  await put("h/1", "x");
  await remote.history.locator("summary").click();
  await says(line(remote, "set", "h/1"), /\d\d:\d\d:\d\d.*v\d+/);
  await put("h/2", "y");
  await call(server.origin, "state_delete", { key: "h/1" });
  await line(remote, "deleted", "h/1").waitFor();
  await line(remote, "set", "h/2").getByRole("button").click();
  await says(remote.note, "h/2 is open");
  assert.equal(await remote.branch("h/2").getAttribute("aria-selected"), "true");
  await tab.history.locator("summary").click();
  await tab.set("brief", "x", "1");
  await line(tab, "set", "brief").waitFor();
  await line(tab, "expired", "brief").waitFor();
  await tab.set("gone", "x");
  await tab.branch("gone").click();
  await tab.button("Delete").click();
  await says(line(tab, "deleted", "gone"), /v4/);
  assert.equal(await tab.history.locator(".history-count").textContent(), "4");
  await tab.button("Clear").click();
  await says(tab.history.locator(".history-count"), "none yet");
}));

test("an export is what ingot state import reads, and the other way round", () => withPage(async ({ page, remote }) => {
  const state = (...args) => execFileSync(binary, ["state", ...args], { encoding: "utf8" });
  await put("x/text", "Grüße\n");
  await put("x/ends", "soon", { ttl_seconds: 1000 });
  await call(server.origin, "state_set", { key: "x/bytes", value_base64: "/wD+" });
  await put("x/empty", "");
  await put("other", "1");
  await remote.branch("x/").waitFor();
  await remote.transfer.locator("summary").click();
  await remote.transfer.getByLabel("Keys that begin with").fill("x/");
  const [download] = await Promise.all([page.waitForEvent("download"), remote.transfer.getByRole("button", { name: "Export" }).click()]);
  const exported = join(folder, "page.jsonl");
  await download.saveAs(exported);
  await says(remote.transfer.locator(".note"), "Exported 4 entries.");
  const byCommand = state("export", "x/", "--url", server.origin).trim().split("\n").map((line) => JSON.parse(line));
  const byPage = readFileSync(exported, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const plain = (all) => all.map(({ expires_at: end, ...rest }) => ({ ...rest, ends: end !== undefined }));
  assert.deepEqual(plain(byPage), plain(byCommand));
  const data = join(folder, "data");
  assert.equal(state("import", exported, "--data", data), "4 entries stored\n");
  assert.equal(state("get", "x/text", "--data", data).trimEnd(), "Grüße");

  const copy = join(folder, "copy.jsonl");
  writeFileSync(copy, `${state("export", "--data", data)}{"key":"old","value":"x","expires_at":1}\n{"key_base64":"/w==","value":"x"}\n{"key":"y","value":"new"}\n`);
  await call(server.origin, "state_delete", { key: "x/bytes" });
  await remote.transfer.locator("[name=file]").setInputFiles(copy);
  await says(remote.transfer.locator(".preview p"), "5 entries: 2 new, 3 replaced, 1 entry left out, since the time is over, 1 entry left out, since the key is not text");
  assert.equal((await call(server.origin, "state_get", { key: "y" })).found, false, "a preview stores nothing");
  await remote.transfer.getByRole("button", { name: "Import 5 entries" }).click();
  await says(remote.transfer.locator(".note"), "Stored 5 entries.");
  await remote.branch("y").waitFor();
  assert.equal((await call(server.origin, "state_get", { key: "x/bytes" })).value_base64, "/wD+");
  assert.ok((await call(server.origin, "state_get", { key: "x/ends" })).ttl_seconds > 900);

  for (const [text, problem] of [
    ['{"key":"a","value":"1"}\nnot json', "Line 2 is no entry as ingot state export writes it: it is not JSON."],
    ['{"key":""}', "a key has 1 to 65,536 bytes, and this one 0."], ['{"key":"a","size":1}', "it has no “size”."],
    ['{"key":"a","value":"x","value_base64":"eA=="}', "a value and the same in base64"], ["[]", "it is not an object."], ['{"key":"a","expires_at":"soon"}', "Unix milliseconds"],
  ]) {
    await remote.transfer.locator("[name=file]").setInputFiles({ name: "wrong.jsonl", mimeType: "text/plain", buffer: Buffer.from(text) });
    await says(remote.transfer.locator(".problem"), problem);
    assert.ok(await remote.transfer.locator(".preview").isHidden());
  }
}));

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${size}, ${colorScheme}: accessible, nothing sticks out`, () => withPage(async ({ page, tab, remote }) => {
      for (const [key, value] of Object.entries({ "user:1": '{"name":"Ada","roles":["admin"]}', "user:2": "Grace", "session/a/b": "1", "session/a/c": "2", [`long/${"name-".repeat(30)}`]: "x" })) await put(key, value);
      await tab.button("Add three examples").click();
      await remote.branch("user:").click();
      await remote.branch("1").click();
      await says(remote.note, "user:1 is open");
      await put("user:1", "changed");
      await remote.moved.waitFor();
      await remote.value.fill('{"name": }');
      await remote.history.locator("summary").click();
      await remote.transfer.locator("summary").click();
      await remote.transfer.locator("[name=file]").setInputFiles({ name: "x.jsonl", mimeType: "text/plain", buffer: Buffer.from('{"key":"a/1","value":"x"}\n{"key":"user:2","value":"y"}\n') });
      await remote.transfer.locator(".preview").waitFor();
      await checkLooks(page, `${size}-${colorScheme}-state`);
    }, { viewport, colorScheme }));
  }
}
