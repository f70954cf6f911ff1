// The page in a browser, served by the real binary. Run: npm test, after
// `make wasm` and a build of bin/ingot. Screenshots go to $SCREENSHOTS, or to a
// new temporary directory whose name is printed.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { PaneDriver, axePath, call, goTo, launch, serve } from "./ingot.mjs";

const screenshots = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "ingot-page-"));
const desk = { width: 1280, height: 800 };
const axeSource = readFileSync(axePath, "utf8");
const phone = { width: 390, height: 844 };

let browser;
before(async () => (browser = await launch()));
after(async () => {
  await browser.close();
  console.log(`screenshots: ${screenshots}`);
});

/**
 * Runs body with a page on a fresh server. It fails when the page logs an error
 * or warning, throws, or breaks its security policy (which Chromium logs),
 * except for messages that match allowed.
 */
async function withPage({ args, allowed = /^$/, prepare, ...context }, body) {
  const server = await serve({ args });
  const session = await browser.newContext({ viewport: desk, ...context });
  session.setDefaultTimeout(60_000); // only a failure meets it
  const page = await session.newPage();
  const complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  try {
    await prepare?.(page);
    await page.goto(server.origin);
    await page.locator("html[data-ready]").waitFor();
    for (const button of await page.getByRole("button", { name: "List", exact: true }).all()) await button.click();
    await body({ page, server, tab: new PaneDriver(page, "tab"), remote: new PaneDriver(page, "server") });
    assert.deepEqual(complaints.filter((c) => !allowed.test(c)), []);
  } finally {
    await page.unrouteAll({ behavior: "ignoreErrors" }); // the page polls on until it is closed
    await session.close();
    await server.stop();
  }
}

/** Waits until a locator's text matches. */
async function textIs(locator, pattern) {
  await locator.filter({ hasText: pattern }).waitFor();
}

/** Waits until a pane lists that many entries. */
async function countIs(pane, count) {
  if (count > 0) await pane.entries.nth(count - 1).waitFor();
  await pane.entries.nth(count).waitFor({ state: "detached" });
}

describe("each pane", () => {
  for (const id of ["tab", "remote"]) {
    test(`${id}: set, open, change, delete and undo`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      await pane.set("user:1", "Ada");
      await textIs(pane.entry("user:1"), /Ada.*3 B.*v1/s);
      await pane.set("user:2", "Grace");
      await pane.button("user:1").click();
      await textIs(pane.note, "user:1 is open at version 1.");
      assert.equal(await pane.value.inputValue(), "Ada");
      await pane.value.fill("Ada Lovelace");
      await pane.button("Set").click();
      await textIs(pane.entry("user:1"), /Ada Lovelace.*v3/s);
      await pane.button("Delete user:1").click();
      await textIs(pane.note, "Deleted user:1.");
      await countIs(pane, 1);
      await pane.button("Undo").click();
      await textIs(pane.entry("user:1"), "Ada Lovelace");
    }));

    test(`${id}: a held version, and one that moved on`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      await pane.set("shared", "one");
      await pane.guard.check();
      await pane.value.fill("two");
      await pane.button("Set").click();
      await textIs(pane.note, "Set shared, version 2.");
      await pane.guard.uncheck();
      await pane.button("Delete shared").click();
      await pane.guard.check();
      await pane.button("Set").click();
      await textIs(pane.problem, "shared is not there any more, so nothing was changed.");
      await countIs(pane, 0);
    }));

    test(`${id}: bytes, text with carriage returns, and an empty value`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      await pane.format("Hex").check();
      await pane.set("bytes", "ff 00 80");
      await textIs(pane.entry("bytes"), /ff 00 80.*3 B/s);
      await pane.set("lines", "61 0d 0a 62");
      await pane.value.fill("");
      await pane.format("Text").check();
      await pane.set("nothing", "");
      await textIs(pane.entry("nothing"), /empty.*0 B/s);
      await pane.button("lines").click();
      await textIs(pane.note, "lines is open");
      assert.equal(await pane.value.inputValue(), "61 0d 0a 62", "a text field would lose the carriage return");
      await pane.format("Text").click({ force: true });
      await textIs(pane.problem, "carriage returns");
      assert.ok(await pane.format("Hex").isChecked());
      await pane.button("bytes").click();
      await textIs(pane.note, "bytes is open");
      await pane.format("Text").click({ force: true });
      await textIs(pane.problem, "not UTF-8");
    }));

    test(`${id}: time to live counts down and ends`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      await pane.set("brief", "x", "6");
      await textIs(pane.entry("brief"), /[1-6] s left/);
      await pane.entry("brief").waitFor({ state: "detached" });
      await pane.set("long", "x", "7200");
      await textIs(pane.entry("long"), /2 h 00 min left|1 h 59 min left/);
    }));

    test(`${id}: pages and prefixes`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      for (let i = 10; i < 32; i++) await pane.set(`item:${i}`, String(i));
      await countIs(pane, 20);
      await textIs(pane.root.locator(".range"), "1 to 20");
      await pane.button("Next").click();
      await pane.entry("item:31").waitFor();
      await countIs(pane, 2);
      assert.ok(await pane.button("Next").isDisabled());
      await pane.button("Delete item:30").click();
      await pane.entry("item:30").waitFor({ state: "detached" });
      await pane.button("Delete item:31").click(); // the page is empty now: the one before is shown
      await pane.entry("item:10").waitFor();
      await pane.filter.fill("item:2");
      await pane.entry("item:10").waitFor({ state: "detached" });
      await countIs(pane, 10);
      await pane.filter.fill("<none>");
      await textIs(pane.root.locator(".empty"), "No key begins with “<none>”.");
    }));

    test(`${id}: inputs that cannot be used are told in place`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      await pane.button("Set").click();
      await textIs(pane.problem, "Type a key first.");
      await pane.key.fill("k");
      await pane.ttl.fill("soon");
      await pane.button("Set").click();
      await textIs(pane.problem, "whole seconds");
      await pane.ttl.fill("");
      await pane.format("Hex").check();
      await pane.value.fill("0g");
      await pane.button("Set").click();
      await textIs(pane.problem, "0 to 9 and a to f");
      await pane.value.fill("0");
      await pane.button("Set").click();
      await textIs(pane.problem, "one digit is missing");
      await pane.value.fill("00");
      await pane.key.fill("k".repeat(70_000));
      await pane.button("Set").click();
      await textIs(pane.problem, /65536|65,536/);
      await pane.key.fill("absent");
      await pane.button("Get").click();
      await textIs(pane.note, "There is no entry absent.");
      await countIs(pane, 0);
    }));

    test(`${id}: markup in keys and values is text`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      const markup = '<img src=x onerror="document.title=1">';
      await pane.set(markup, markup);
      assert.equal(await pane.entries.locator(".open").textContent(), markup);
      assert.equal(await pane.entries.locator(".value").textContent(), markup);
      assert.equal(await drivers.page.locator("main img").count(), 0);
    }));

    test(`${id}: by keyboard alone`, () => withPage({}, async (drivers) => {
      const pane = drivers[id];
      const { keyboard } = drivers.page;
      await pane.key.focus();
      await keyboard.type("typed");
      await keyboard.press("Tab"); // Get
      await keyboard.press("Tab");
      await keyboard.type("by hand");
      await keyboard.press("Control+Enter");
      await textIs(pane.entry("typed"), "by hand");
      await pane.value.fill("");
      await pane.key.focus();
      await keyboard.press("Enter"); // asks, and does not store an empty value
      await textIs(pane.note, "typed is open");
      assert.equal(await pane.value.inputValue(), "by hand");
      await pane.button("Delete typed").focus();
      await keyboard.press("Enter");
      await pane.entry("typed").waitFor({ state: "detached" });
      await pane.button("Undo").focus();
      await keyboard.press("Enter");
      await textIs(pane.entry("typed"), "by hand");
    }));
  }
});

describe("the two panes", () => {
  test("an entry goes to the server and back, with its bytes and its time", () => withPage({}, async ({ tab, remote, server }) => {
    await tab.format("Hex").check();
    await tab.set("blob", "fe ed 00", "100");
    await tab.button("Send blob to the server").click();
    await textIs(remote.entry("blob"), /fe ed 00.*1 min [34]\d s left.*same in tab/s);
    await textIs(tab.entry("blob"), "same on server");
    const stored = await call(server.origin, "state_get", { key: "blob" });
    assert.equal(stored.value_base64, "/u0A");
    assert.ok(stored.ttl_seconds > 90 && stored.ttl_seconds <= 100, `ttl ${stored.ttl_seconds}`);
    await remote.set("blob", "changed");
    await textIs(tab.entry("blob"), "differs on server");
    await remote.button("Bring blob to this tab").click();
    await textIs(tab.entry("blob"), /changed.*same on server/s);
  }));

  test("changes by other clients appear, and a full server says so", () =>
    withPage({ args: ["--max-bytes", "2KiB"] }, async ({ tab, remote, server }) => {
      await call(server.origin, "state_set", { key: "from:outside", value: "seen" });
      await textIs(remote.entry("from:outside"), "seen");
      await call(server.origin, "state_delete", { key: "from:outside" });
      await remote.entry("from:outside").waitFor({ state: "detached" });
      await tab.set("large", "x".repeat(5000));
      await tab.button("Send large to the server").click();
      await textIs(tab.problem, "byte budget is used up");
      await remote.key.fill("large");
      await remote.value.fill("x".repeat(5000));
      await remote.button("Set").click();
      await textIs(remote.problem, "byte budget is used up");
      await countIs(remote, 0);
    }));

  test("examples, and what the panes tell of themselves", () => withPage({}, async ({ page, tab, remote, server }) => {
    await tab.button("Add three examples").click();
    await textIs(tab.entry("session:7f3a"), "left");
    await countIs(tab, 3);
    await textIs(tab.facts, /Keys\s*3.*WebAssembly/s);
    await textIs(remote.facts, /ingot .*2026-07-28.*\d ms/s);
    assert.match(await page.locator("#release").textContent(), /\S/);
    await page.getByText("Connect an MCP client").click();
    const config = JSON.parse(await page.locator("#config").textContent());
    assert.equal(config.mcpServers.ingot.url, `${server.origin}/mcp`);
  }));
});

/** Has every answer of /mcp pass through change(message, tool), which returns the body and its type. */
const rewriting = (change) => (page) => page.route("**/mcp", async (route) => {
  const response = await route.fetch();
  const { body, contentType } = change(await response.json(), route.request().headers()["mcp-name"]);
  await route.fulfill({ status: response.status(), body, contentType });
});

describe("what a server may answer", () => {
  test("an event stream with notifications before the answer", () => withPage({
    prepare: rewriting((message) => ({
      contentType: "text/event-stream",
      body: ': hello\r\n\r\nevent: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\r\n\r\n' +
        `data: ${JSON.stringify(message)}\r\n\r\n`,
    })),
  }, async ({ remote }) => {
    await remote.set("streamed", "yes");
    await textIs(remote.entry("streamed"), "yes");
  }));

  test("a key that is not text is shown and left alone", () => withPage({
    prepare: rewriting((message, tool) => {
      if (tool === "state_list") message.result.structuredContent.entries.push({ key_base64: "/wA=", version: 9, size: 3 });
      return { contentType: "application/json", body: JSON.stringify(message) };
    }),
  }, async ({ remote }) => {
    await textIs(remote.entry("ff 00"), /not text.*3 B.*v9/s);
    assert.ok(await remote.button("ff 00").isDisabled());
    await remote.set("ff 00", "a text key of the same looks");
    await countIs(remote, 2);
  }));

  test("something that is not MCP", () => withPage({
    prepare: rewriting(() => ({ contentType: "text/html", body: "<h1>A proxy's page</h1>" })),
  }, async ({ remote }) => {
    await textIs(remote.outage, "The server answered 200 OK: <h1>A proxy's page</h1>");
  }));
});

describe("a tool in this tab", () => {
  const guest = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const probe = guest("js/test/guests/probe.wasm");

  /** Opens the part, grants something, and loads a file. */
  async function load(page, file, policy = {}) {
    await goTo(page, "local");
    const part = page.locator("#tool");
    if (!(await part.evaluate((e) => e.open))) await part.locator("summary").click();
    await part.getByLabel("Grants, as JSON").fill(JSON.stringify(policy));
    await part.getByLabel("Tool", { exact: true }).setInputFiles(file);
    return part;
  }

  /** Runs the loaded tool; resolves to what it shows. */
  async function run(part, args) {
    await part.locator(".loaded").waitFor();
    await part.getByLabel("Arguments, as JSON").fill(JSON.stringify(args));
    await part.getByRole("button", { name: "Run" }).click();
    await part.getByRole("status").filter({ hasText: /Done|failed/ }).waitFor();
    return (await part.getByLabel("Result").textContent()) + (await part.getByRole("alert").textContent());
  }

  test("the tool that wasm-host serves runs here, and looks right", () => withPage({}, async ({ page }) => {
    const part = await load(page, guest("guest/examples/c-sha256/sha256.wasm"));
    await part.getByRole("heading", { name: "SHA-256" }).waitFor();
    assert.match(await run(part, { text: "abc" }), /ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/);
    await part.scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(screenshots, "tool.png"), fullPage: true });
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)]), []);
    await page.setViewportSize(phone);
    await page.screenshot({ path: join(screenshots, "tool-phone.png"), fullPage: true });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
  }));

  test("it uses the keys that it was granted, and no others", () => withPage({}, async ({ page, tab }) => {
    const part = await load(page, probe, { state: [{ prefix: "notes/", access: "read-write" }] });
    assert.match(await run(part, { do: "state-set", key: "notes/a", value: "kept" }), /"version": 1/);
    await goTo(page, "state");
    await textIs(tab.entry("notes/a"), /kept/);
    await goTo(page, "local");
    assert.match(await run(part, { do: "state-set", key: "user:1", value: "x" }), /grant state: \[\{prefix: "user:1", access: "read-write"\}\].*denied/);
  }));

  test("a loop without end ends, and the page lives on", () => withPage({}, async ({ page, tab }) => {
    const part = await load(page, probe);
    assert.match(await run(part, { do: "spin" }), /ERR_TOOL_FUEL/);
    assert.match(await run(part, { do: "grow" }), /ERR_TOOL_MEMORY/);
    assert.match(await run(part, { do: "keep" }), /"kept": 0/);
    await goTo(page, "state");
    await tab.set("after", "1");
    await textIs(tab.entry("after"), /v1/);
  }));

  test("HTTP waits for the answer, from a host that was granted", () => withPage({}, async ({ page, server }) => {
    const { host } = new URL(server.origin);
    const part = await load(page, probe, { http: [{ host }] });
    assert.match(await run(part, { do: "http", method: "GET", url: `${server.origin}/info.json` }), /"status": 200[\s\S]*endpoint/);
    assert.match(await run(part, { do: "http", method: "POST", url: `${server.origin}/mcp` }), /may not use POST/);
    assert.match(await run(part, { do: "http", method: "GET", url: "http://169.254.169.254/" }), /may not reach 169.254.169.254/);
  }));

  test("what is no tool, and grants that are none", () => withPage({}, async ({ page }) => {
    const part = await load(page, guest("js/README.md"));
    await textIs(part.getByRole("alert"), /ERR_TOOL_MODULE/);
    await load(page, probe, { files: [] });
    await textIs(part.getByRole("alert"), /policy has no "files"/);
  }));
});

test("values in words", () => withPage({}, async ({ page }) => {
  const got = await page.evaluate(async () => {
    const v = await import("/value.js");
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const mark = v.bytesOfText("\ufeffx");
    return {
      times: [-5, 0, 1, 59_000, 59_001, 61_000, 3_600_000, 90_061_000].map(v.timeText),
      sizes: [0, 1023, 1024, 10_239, 10_240, 1_048_576, 3 * 2 ** 30].map(v.sizeText),
      hex: v.sameBytes(v.bytesOfHex(v.hexOf(all)), all),
      base64: v.sameBytes(v.bytesOfBase64(v.base64Of(all)), all),
      long: v.base64Of(new Uint8Array(100_000)).length,
      byteOrderMark: v.sameBytes(v.bytesOfText(v.textOf(mark)), mark),
      broken: v.textOf(Uint8Array.of(0xc3)),
      clipped: v.preview(v.bytesOfText("x".repeat(300))).text.length,
    };
  });
  assert.deepEqual(got, {
    times: ["0 s", "0 s", "1 s", "59 s", "1 min 00 s", "1 min 01 s", "1 h 00 min", "1 d 1 h"],
    sizes: ["0 B", "1023 B", "1.0 KiB", "10.0 KiB", "10 KiB", "1.0 MiB", "3.0 GiB"],
    hex: true, base64: true, long: 133_336, byteOrderMark: true, broken: null, clipped: 201,
  });
}));

describe("trouble", () => {
  const networkErrors = /ERR_CONNECTION|Failed to load resource|ERR_FAILED/;

  test("the server goes and comes back", () => withPage({ allowed: networkErrors }, async ({ page, tab, remote, server }) => {
    await remote.set("before", "1");
    assert.equal(await server.stop(), 0, "a stop with an open page ends well");
    await textIs(remote.outage, "The server does not answer.");
    await page.screenshot({ path: join(screenshots, "desk-light-outage.png"), fullPage: true });
    await checkAccess(page, "outage");
    await remote.button("Set").click();
    await textIs(remote.problem, "The server does not answer.");
    await tab.set("still", "works");
    const again = await serve({ port: server.port });
    try {
      await remote.outage.filter({ hasText: /^$/ }).waitFor({ state: "attached" });
      await remote.entry("before").waitFor({ state: "detached" });
      await remote.set("after", "2");
    } finally {
      await again.stop();
    }
  }));

  test("an ingot without the tab's engine says how to get it", () => withPage({
    prepare: (page) => page.route("**/info.json", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), tabEngine: false } });
    }),
  }, async ({ page, tab, remote }) => {
    await textIs(tab.root, "make build");
    await remote.set("k", "v");
    await checkAccess(page, "no engine");
    await page.screenshot({ path: join(screenshots, "desk-light-no-engine.png"), fullPage: true });
    assert.equal(await remote.button("Bring k to this tab").count(), 0);
  }));

  test("an engine that does not start is told in its pane", () => withPage({
    allowed: networkErrors,
    prepare: (page) => page.route("**/engine.wasm", (route) => route.abort()),
  }, async ({ tab, remote }) => {
    await textIs(tab.root, "The engine did not start in this tab");
    await remote.set("k", "v");
  }));
});

describe("looks", () => {
  for (const [size, viewport] of Object.entries({ desk, phone })) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${size}, ${colorScheme}: accessible, nothing sticks out`, () => withPage({ viewport, colorScheme }, async (drivers) => {
        const { page, tab, remote } = drivers;
        const shoot = (name) => page.screenshot({ path: join(screenshots, `${size}-${colorScheme}-${name}.png`), fullPage: true });
        await checkAccess(page, "empty");
        await shoot("empty");
        await fill(drivers);
        await checkAccess(page, "filled");
        await shoot("filled");
        await tab.format("Hex").check();
        await tab.value.fill("xyz");
        await tab.button("Set").click();
        await tab.problem.filter({ hasText: "Hex" }).waitFor();
        await page.getByText("Connect an MCP client").click();
        await remote.filter.fill("none of these");
        await remote.root.getByText("No key begins with").waitFor();
        await checkAccess(page, "problem");
        await shoot("problem");
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `the page is ${width} px wide on a screen of ${viewport.width}`);
      }));
    }
  }
});

/** Puts something of each kind into both panes. */
async function fill({ tab, remote }) {
  await tab.button("Add three examples").click();
  await tab.entry("visits").waitFor();
  await tab.set("a:key:of:some:length/with-hardly-a-place-to-break-it/".repeat(3), "and a value that runs over more than one line, ".repeat(6));
  await tab.button("Send greeting to the server").click();
  await remote.entry("greeting").waitFor();
  await remote.format("Hex").check();
  await remote.set("logo.png", "89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52");
  await remote.set("otp:42", "31 32", "8");
  await tab.set("greeting", "Hello again");
  await textIs(remote.entry("greeting"), "differs in tab");
}

/** Runs axe-core over the page as it is. */
async function checkAccess(page, state) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, [], `axe-core on the ${state} page`);
}
