// What the page's tests stand on: a running ingot, and a browser on its page.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const binary = process.env.INGOT ?? fileURLToPath(new URL("../../bin/ingot", import.meta.url));
const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const chromiumFlags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

for (const [what, path, name] of [["an ingot", binary, "INGOT"], ["a Chromium", chromiumPath, "CHROMIUM"]]) {
  assert.ok(existsSync(path), `There is no ${path}. Build or install ${what}, or name one with ${name}=…`);
}

/** The path of axe-core's one script. */
export const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export const launch = () => chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });

/** A browser whose profile is a directory: one without keeps what pages store in memory, and knows no quota of it. */
export const launchWithProfile = (profile, options) => chromium.launchPersistentContext(profile, { executablePath: chromiumPath, args: chromiumFlags, ...options });

/** Starts `ingot serve`, of a forge.yaml if config names one, and resolves to { origin, port, stop, signal } once it serves. */
export async function serve({ port = 0, config, args = [] } = {}) {
  const child = spawn(binary, ["serve", ...(config ? ["--config", config] : ["--memory"]), "--listen", `127.0.0.1:${port}`, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  const origin = await new Promise((resolve, reject) => {
    let stdout = "";
    child.stdout.on("data", (data) => {
      stdout += data;
      const found = /Page +(http:\/\/127\.0\.0\.1:\d+)\//.exec(stdout);
      if (found) resolve(found[1]);
    });
    exited.then((code) => reject(new Error(`ingot ended with ${code}: ${stderr}`)));
  });
  const stop = (signal = "SIGTERM") => {
    child.kill(signal);
    return exited;
  };
  return { origin, port: Number(new URL(origin).port), stop, signal: (name) => child.kill(name) };
}

/** Calls a tool of a served ingot without the page, in the modern era. */
export async function call(origin, name, args, signal) {
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
  const response = await fetch(`${origin}/mcp`, {
    method: "POST", signal,
    headers: {
      "Content-Type": "application/json", Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, _meta } }),
  });
  const { result } = await response.json();
  return result.structuredContent;
}

/** Goes to a view, or to what is open in it. */
export const goTo = (page, view) => page.evaluate((hash) => (location.hash = hash), `#${view}`);

/** One pane of the page, as a person meets it: by labels and names. */
export class PaneDriver {
  constructor(page, id) {
    this.root = page.locator(`#${id}`);
    this.key = this.root.getByLabel("Key", { exact: true });
    this.value = this.root.getByLabel("Value", { exact: true });
    this.ttl = this.root.getByLabel("Expires after");
    this.filter = this.root.getByLabel(/^Show keys/);
    this.guard = this.root.getByLabel(/^Only if still version/);
    this.entries = this.root.locator(".entries").getByRole("listitem");
    this.note = this.root.locator(".body > .note");
    this.problem = this.root.locator(".body > .problem");
    this.tree = this.root.getByRole("tree");
    this.moved = this.root.locator(".moved");
    this.opened = this.root.locator(".opened p");
    this.history = this.root.locator(".history");
    this.transfer = this.root.locator(".transfer");
    this.outage = this.root.locator(".outage");
    this.facts = this.root.locator(".facts");
  }

  button(name) {
    return this.root.getByRole("button", { name, exact: true });
  }

  format(name) {
    return this.root.getByLabel(name, { exact: true });
  }

  /** A row of the tree, by its own part of the key. */
  branch(label) {
    const escaped = label.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return this.tree.getByRole("treeitem").filter({ has: this.root.page().locator(".branch-label", { hasText: new RegExp(`^${escaped}$`) }) });
  }

  /** The row of a key. */
  entry(key) {
    return this.entries.filter({ has: this.root.page().getByRole("button", { name: key, exact: true }) });
  }

  async set(key, value, ttl = "") {
    await this.key.fill(key);
    await this.value.fill(value);
    await this.ttl.fill(ttl);
    await this.button("Set").click();
    await this.note.filter({ hasText: `Set ${key.slice(0, 48)}` }).waitFor();
  }
}
