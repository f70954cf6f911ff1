// The Local view: the store that the browser keeps, in one tab and in several, the
// browser's agent, and the benchmark. Run as page.test.mjs is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PaneDriver, axePath, binary, goTo, launch, launchWithProfile, serve } from "./ingot.mjs";

const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "ingot-local-"));
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

const says = (locator, text) => locator.filter({ hasText: text }).waitFor();

/** The Local view in a tab. */
class Tab {
  constructor(page) {
    this.page = page;
    this.root = page.locator("#kept");
    this.pane = new PaneDriver(page, "kept-store");
    this.role = this.root.locator(".role");
    this.note = this.root.locator(".kept-note");
    this.facts = this.root.locator(".facts").first();
    this.problem = this.root.locator(".kept-problem");
  }

  button(name) {
    return this.root.getByRole("button", { name, exact: true });
  }

  /** Waits until the store is open and the tab has a part in it. */
  async opened(role = /^(Owner|Follower)/) {
    await says(this.role, role);
    return this;
  }
}

/** Runs body with a function that opens tabs of one browser's profile; it fails when one complains. */
async function withTabs(body, { allowed = /^$/, profile, ...context } = {}) {
  const options = { viewport: sizes.desk, acceptDownloads: true, ...context };
  const session = await (profile ? launchWithProfile(profile, options) : browser.newContext(options));
  session.setDefaultTimeout(60_000); // only a failure meets it
  const complaints = [];
  const open = async (address = "local/notes", prepare = () => {}) => {
    const page = await session.newPage();
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await prepare(page);
    await page.goto(`${server.origin}/#${address}`);
    await page.locator("html[data-ready]").waitFor();
    return new Tab(page);
  };
  try {
    await body(open, session);
    assert.deepEqual(complaints.filter((c) => !allowed.test(c)), []);
  } finally {
    await session.close();
  }
}

test("a store stays when its tab is loaded anew, and is flushed, compacted and closed", () => withTabs(async (open) => {
  const tab = await open("local");
  assert.ok(await tab.pane.root.isHidden());
  await tab.root.getByLabel("Name").fill("notes");
  await tab.button("Open").click();
  await tab.opened("Owner: this tab has the files");
  assert.match(tab.page.url(), /#local\/notes$/, "the address opens it again");
  await says(tab.facts, /Tabs1.*Kept inOPFS.*Snapshotnone/);
  await tab.pane.set("kept", "one");
  await tab.pane.set("kept", "two");
  await tab.button("Flush").click();
  await says(tab.note, "All is durable.");
  await says(tab.facts, /Keys1/);
  await tab.button("Compact").click();
  await says(tab.note, "compacted");
  await says(tab.facts, /Snapshot\d+ B.*Compactions1/);
  await tab.page.reload();
  await tab.opened("Owner");
  await tab.pane.branch("kept").click();
  await says(tab.pane.note, "kept is open at version 2.");
  assert.equal(await tab.pane.value.inputValue(), "two");
  await tab.button("Close").click();
  await tab.pane.root.waitFor({ state: "detached" });
  await goTo(tab.page, "local/other");
  await tab.opened("Owner");
  await says(tab.pane.root.locator(".empty"), "This store holds nothing yet.");
  await goTo(tab.page, "local/..");
  await says(tab.problem, "the name of a store that is kept has 1 to 64 letters");
}));

test("a second tab follows, hears of changes, and takes over; a third follows that", () => withTabs(async (open) => {
  const first = await (await open()).opened("Owner");
  await first.pane.set("by:first", "1");
  const second = await (await open()).opened("Follower: another tab has the files");
  await second.pane.branch("by:first").waitFor();
  await says(first.facts, "Tabs2");
  await second.pane.set("by:second", "2");
  await first.pane.branch("by:").locator(".count").filter({ hasText: "2" }).waitFor();
  await first.page.close();
  await says(second.role, "Owner: this tab has the files");
  await says(second.note, "The tab that had the files is gone: this one has taken over.");
  await says(second.facts, /Tabs1.*Keys2/);
  const third = await (await open()).opened("Follower");
  await third.pane.set("by:third", "3");
  await second.button("Close").click(); // an owner that leaves tells the others
  await says(third.role, "Owner");
  await says(third.facts, /Tabs1.*Keys3/);
}));

test("tabs that open and close fast lose nothing, and none is shown an empty store", () => withTabs(async (open) => {
  const written = [];
  for (let round = 0; round < 4; round++) {
    const tabs = await Promise.all(Array.from({ length: 2 + round % 2 }, () => open("local/fast")));
    await Promise.all(tabs.map(async (tab, i) => {
      await tab.opened();
      if (written.length > 0) await tab.pane.tree.getByRole("treeitem").first().waitFor(); // what was there is there
      assert.ok(await tab.pane.root.locator(".empty").isHidden() || written.length === 0);
      const key = `k${round}${i}`;
      await tab.pane.set(key, "v"); // it is durable when that is said
      written.push(key);
    }));
    await Promise.all(tabs.map((tab, i) => (i === 1 ? tab.page.reload().then(() => tab.page.close()) : tab.page.close())));
  }
  const last = await (await open("local/fast")).opened("Owner");
  for (const key of written) await last.pane.branch(key).waitFor();
  await says(last.facts, `Keys${written.length}`);
}));

test("without private files the store is in IndexedDB", () => withTabs(async (open, session) => {
  await session.route("**/js/persist/opfs.js", (route) => route.fulfill({
    contentType: "text/javascript",
    body: `import { IngotError } from "../errors.js";
      export const openFiles = async () => { throw new IngotError("ERR_PERSIST_UNSUPPORTED", "none here"); };
      export const isSupported = async () => false;`,
  }));
  const tab = await (await open("local/elsewhere")).opened("Owner");
  await says(tab.facts, "Kept inIndexedDB");
  await tab.pane.set("k", "v");
  await tab.page.reload();
  await tab.opened("Owner");
  await tab.pane.branch("k").waitFor();
}));

test("a quota that is used up is told in words, and what was stored stays", () => withTabs(async (open, session) => {
  const tab = await (await open("local/full")).opened("Owner");
  const devtools = await session.newCDPSession(tab.page);
  const quota = (quotaSize) => devtools.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize });
  await tab.pane.set("first", "v");
  await quota(8 << 20);
  const lines = Array.from({ length: 64 }, (_, i) => JSON.stringify({ key: `large/${i}`, value_base64: randomBytes(256 << 10).toString("base64") }));
  await tab.pane.transfer.locator("summary").click();
  await tab.pane.transfer.locator("[name=file]").setInputFiles({ name: "large.jsonl", mimeType: "text/plain", buffer: Buffer.from(lines.join("\n")) });
  await tab.pane.transfer.getByRole("button", { name: "Import 64 entries" }).click();
  const told = "The browser has no more room for this site, so the write was refused.";
  await says(tab.pane.transfer.locator(".problem"), told);
  const [, stored] = /(\d+) entr(?:y|ies) of the file/.exec(await tab.pane.transfer.locator(".problem").textContent());
  assert.ok(Number(stored) < 64);
  await tab.pane.key.fill("more");
  await tab.pane.value.fill("x".repeat(1000));
  await tab.pane.button("Set").click();
  await says(tab.pane.problem, told);
  await tab.pane.branch("first").click();
  await says(tab.pane.note, "first is open at version 1.");
  await quota(400 << 20);
  await tab.page.reload();
  await tab.opened("Owner");
  await tab.pane.branch("first").waitFor();
  const [, keys] = /Keys([\d,]+)/.exec(await tab.facts.textContent());
  assert.ok(Number(keys) > Number(stored), `${keys} of ${stored} and one`);
  await tab.pane.set("room", "again");
}, { profile: mkdtempSync(join(folder, "profile-")) }));

test("a snapshot of the tab becomes a directory of ingot's, and one of ingot's goes into another tab", () => withTabs(async (open) => {
  const state = (...args) => execFileSync(binary, ["state", ...args], { encoding: "utf8" });
  const tab = await (await open("local/saved")).opened("Owner");
  await tab.pane.set("from:chromium", "yes");
  await tab.pane.format("Hex").check();
  await tab.pane.set("bytes", "ff 00");
  const [download] = await Promise.all([tab.page.waitForEvent("download"), tab.button("Download a snapshot").click()]);
  assert.equal(download.suggestedFilename(), "saved.ingot-snapshot");
  const saved = join(folder, "saved.ingot-snapshot"), data = join(folder, "from-the-tab");
  await download.saveAs(saved);
  assert.match(state("restore", saved, "--data", data), /2 entries/);
  assert.equal(state("get", "from:chromium", "--data", data), "yes");
  const bytes = state("export", "bytes", "--data", data);
  assert.deepEqual(Buffer.from(JSON.parse(bytes).value_base64, "base64"), Buffer.from([0xff, 0]));
  state("set", "from:native", "too", "--data", data);
  const file = join(folder, "back.ingot-snapshot");
  assert.match(state("backup", file, "--snapshot", "--data", data), /a snapshot of 3 entries/);

  await goTo(tab.page, "local/another");
  await says(tab.pane.root.getByRole("heading"), "Kept as “another”");
  await tab.opened("Owner");
  await tab.pane.set("goes", "away");
  await tab.root.getByLabel("Restore a snapshot").setInputFiles({ name: "wrong.bin", mimeType: "application/octet-stream", buffer: Buffer.from("no snapshot") });
  await tab.button("Replace 1 key by wrong.bin").click();
  await says(tab.problem, /snapshot/i);
  await tab.pane.branch("goes").waitFor();
  await tab.root.getByLabel("Restore a snapshot").setInputFiles(file);
  await tab.button("Replace 1 key by back.ingot-snapshot").click();
  await says(tab.note, "The store is what the snapshot holds.");
  await tab.pane.branch("from:").waitFor();
  await tab.pane.branch("goes").waitFor({ state: "detached" });
}));

test("a browser without an agent says so", () => withTabs(async (open) => {
  const { page } = await open("local");
  await page.locator("#agent summary").click();
  await says(page.locator("#agent .note"), "This browser has none: it lacks document.modelContext.");
  assert.ok(await page.getByRole("switch", { name: "Offer the tools" }).isDisabled());
}));

test("an agent is offered the tools, or those that read, and they use this tab's keys", () => withTabs(async (open) => {
  const { page } = await open("local", (page) => page.addInitScript(() => {
    const tools = (globalThis.offered = new Map());
    document.modelContext = {
      registerTool(tool, { signal }) {
        tools.set(tool.name, tool);
        signal.addEventListener("abort", () => tools.delete(tool.name));
      },
    };
  }));
  const names = () => page.evaluate(() => [...globalThis.offered.keys()].sort());
  await page.locator("#agent summary").click();
  await page.getByRole("switch", { name: "Offer the tools" }).check();
  await says(page.locator("#agent .note"), "state_set");
  assert.equal((await names()).length, 10);
  const answer = await page.evaluate(() => globalThis.offered.get("state_set").execute({ key: "by:agent", value: "1" }));
  assert.deepEqual(answer.structuredContent, { stored: true, version: 1 });
  await goTo(page, "state");
  await new PaneDriver(page, "tab").branch("by:agent").waitFor();
  await goTo(page, "local");
  await page.getByLabel("Only those that read").check();
  await says(page.locator("#agent .note"), /^On: (?!.*state_set)/);
  assert.ok(!(await names()).includes("state_set") && (await names()).includes("state_get"));
  await page.getByRole("switch", { name: "Offer the tools" }).uncheck();
  await says(page.locator("#agent .note"), "Off");
  assert.deepEqual(await names(), []);
}));

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${size}, ${colorScheme}: accessible, nothing sticks out`, () => withTabs(async (open) => {
      const tab = await (await open("local/looks")).opened("Owner");
      const { page } = tab;
      await tab.pane.button("Add three examples").click();
      await tab.pane.branch("greeting").click();
      await says(tab.pane.note, "greeting is open");
      await tab.root.getByLabel("Restore a snapshot").setInputFiles({ name: "x.bin", mimeType: "application/octet-stream", buffer: Buffer.from("x") });
      await tab.button("Replace 3 keys by x.bin").click();
      await says(tab.problem, /snapshot/i);
      await page.locator("#agent summary").click();
      await page.evaluate(readFileSync(axePath, "utf8"));
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
      await page.screenshot({ path: join(screenshots, `${size}-${colorScheme}-kept.png`), fullPage: true });
    }, { viewport, colorScheme }));
  }
}
