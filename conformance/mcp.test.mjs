// ingot-state/mcp in Chromium: the store of a page served over a port, to another
// window, and to the browser's agent (WebMCP, behind a flag in Chromium 156).
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "./browser.mjs";

let server, context, page, profile;
const complaints = [];
before(async () => {
  server = await serve();
  profile = await mkdtemp(join(tmpdir(), "ingot-webmcp-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--enable-features=WebMCP"],
  });
  page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${server.origin}/conformance/page.html`);
  await page.waitForFunction(() => window.ready === true);
});
after(async () => {
  await context?.close();
  await server?.close();
  if (profile !== undefined) await rm(profile, { recursive: true, force: true });
});

test("the browser's agent finds the tools, and calls them", async () => {
  const seen = await page.evaluate(async () => {
    const { registerWebMCP } = await import("/js/mcp/index.js");
    const store = await window.ingot.open();
    const controller = new AbortController();
    const registration = await registerWebMCP(store, { prefix: "notes/", signal: controller.signal });
    const tools = await document.modelContext.getTools();
    const tool = (name) => tools.find((candidate) => candidate.name === name);
    const run = async (name, input) => JSON.parse(await document.modelContext.executeTool(tool(name), input));
    const set = await run("state_set", { key: "today", value: "rain" });
    const waiting = run("state_wait", { key: "today", version: 1, timeout_seconds: 3600 });
    store.set("notes/today", "sun");
    const seen = {
      registered: registration.tools.toSorted(),
      offered: tools.map(({ name }) => name).toSorted(),
      get: tool("state_get"),
      set: set.structuredContent,
      stored: store.getString("notes/today"),
      waited: (await waiting).structuredContent,
      wrong: await run("state_set", { key: "k" }),
      twice: await registerWebMCP(store).catch((error) => error.name),
    };
    const { inputSchema, title, annotations } = seen.get;
    seen.get = { inputSchema, title, readOnly: annotations.readOnlyHint };
    controller.abort();
    seen.left = (await document.modelContext.getTools()).length;
    const reader = await registerWebMCP(store, { readOnly: true });
    seen.reading = (await document.modelContext.getTools()).map(({ name }) => name).toSorted();
    await reader.close();
    seen.end = (await document.modelContext.getTools()).length;
    seen.watchers = store.stats().watchers;
    return seen;
  });
  assert.equal(seen.registered.length, 10);
  assert.deepEqual(seen.offered, seen.registered);
  assert.deepEqual(seen.get.inputSchema.required, ["key"]);
  assert.deepEqual([seen.get.title, seen.get.readOnly], ["Get a value", true]);
  assert.deepEqual(seen.set, { stored: true, version: 1 });
  assert.equal(seen.stored, "sun");
  assert.deepEqual([seen.waited.changed, seen.waited.value], [true, "sun"]);
  assert.equal(seen.wrong.isError, true);
  assert.match(seen.wrong.content[0].text, /value/);
  assert.equal(seen.twice, "InvalidStateError");
  assert.deepEqual([seen.left, seen.end, seen.watchers], [0, 0, 0]);
  assert.deepEqual(seen.reading, ["state_batch_get", "state_exists", "state_get", "state_list", "state_wait"]);
});

test("a port serves another part of the page", async () => {
  const answer = await page.evaluate(async () => {
    const { serve } = await import("/js/mcp/index.js");
    const { port1, port2 } = new MessageChannel();
    const server = await serve(await window.ingot.open(), port1, { name: "page" });
    const answer = new Promise((resolve) => (port2.onmessage = ({ data }) => resolve(data)));
    port2.postMessage({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } } });
    const { result } = await answer;
    await server.close();
    return result.serverInfo;
  });
  assert.deepEqual(answer, { name: "page", version: "0.0.0" });
});

test("a worker serves the page that made it, and lives on when the connection is over", async () => {
  const answers = await page.evaluate(async () => {
    const worker = new Worker("/conformance/mcp-worker.mjs", { type: "module" });
    const next = (fits = () => true) => new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => fits(data) && resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    const answers = [await next()];
    const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    for (const id of [1, 2]) {
      const answer = next();
      worker.postMessage({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "state_increment", arguments: { key: "n" }, _meta } });
      answers.push((await answer).result.structuredContent);
    }
    const closed = next((data) => String(data).startsWith("closed")); // to the server the word is a broken message
    worker.postMessage("close");
    answers.push(await closed);
    worker.terminate();
    return answers;
  });
  assert.deepEqual(answers, ["ready", { value: 1, version: 1 }, { value: 2, version: 2 }, "closed, and here"]);
});

test("a write that was answered outlives the tab, where the store is kept", async () => {
  const open = async () => {
    const tab = await context.newPage();
    await tab.goto(`${server.origin}/conformance/page.html`);
    await tab.waitForFunction(() => window.ready === true);
    return tab;
  };
  const first = await open();
  const answer = await first.evaluate(async () => {
    const { registerWebMCP } = await import("/js/mcp/index.js");
    window.store = await window.ingot.open({ persist: "idb", name: "mcp" });
    await registerWebMCP(window.store);
    const set = (await document.modelContext.getTools()).find(({ name }) => name === "state_set");
    return document.modelContext.executeTool(set, { key: "k", value: "kept" });
  });
  assert.equal(JSON.parse(answer).structuredContent.stored, true);
  await first.close();
  const second = await open();
  assert.equal(await second.evaluate(async () => (await window.ingot.open({ persist: "idb", name: "mcp" })).getString("k")), "kept");
  await second.close();
});

test("a window serves the one that opened it, and nobody of another origin", async () => {
  const popups = context.waitForEvent("page");
  await page.evaluate(() => (window.popup = window.open("/conformance/page.html")));
  const popup = await popups;
  await popup.waitForFunction(() => window.ready === true);
  const opened = await popup.evaluate(async () => {
    const { serve, windowMessages } = await import("/js/mcp/index.js");
    const store = await window.ingot.open();
    store.set("k", "of the popup");
    window.server = await serve(store, windowMessages(window.opener, { origin: location.origin }));
    window.strict = await serve(store, windowMessages(window.opener, { origin: "https://example.org" }), { name: "strict" });
    return window.server.connections.length;
  });
  assert.equal(opened, 1);
  const answers = await page.evaluate(async () => {
    const answers = [];
    const heard = new Promise((resolve) =>
      window.addEventListener("message", ({ data }) => {
        answers.push(data);
        if (data.id === "last") resolve();
      }));
    const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
    const call = (id) => window.popup.postMessage({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "state_get", arguments: { key: "k" }, _meta } });
    call("first");
    call("last");
    await heard;
    window.popup.close();
    return answers;
  });
  assert.deepEqual(answers.map(({ id }) => id), ["first", "last"], "the server for another origin has not answered");
  assert.equal(answers[0].result.structuredContent.value, "of the popup");
});

test("the page had nothing to complain about", () => {
  assert.deepEqual(complaints, []); // errors, and breaches of the security policy
});
