// A page in Chromium that runs scripts on the npm package, and the small static
// server behind it. The content security policy allows WebAssembly and nothing
// else that evaluates code.
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** serve serves the repository's files; `?type=` overrides the media type of one. */
export async function serve(port = 0) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const path = join(ROOT, url.pathname); // a URL's path has no ".." left in it
    const known = await stat(path).catch(() => undefined);
    if (!/^\/(js|conformance)\//.test(url.pathname) || !known?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = url.searchParams.get("type") ?? TYPES[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-security-policy": POLICY, "cache-control": "no-store" });
    createReadStream(path, { end: Number(url.searchParams.get("end") ?? Infinity) }).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

/**
 * openPage starts Chromium and a page that has loaded page.mjs; newPage() opens others.
 * A profile of an earlier one that was killed is used again.
 * run(script, files) runs a script there; files are what `load` finds, by name.
 */
export async function openPage(before) {
  // The origin is the same each time: storage belongs to it.
  const server = await serve(before === undefined ? 0 : Number(/[0-9]+$/.exec(before)[0]));
  const profile = before ?? `${await mkdtemp(join(tmpdir(), "ingot-chromium-"))}-${new URL(server.origin).port}`;
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const complaints = [];
  const newPage = async () => {
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${server.origin}/conformance/page.html`);
    await page.waitForFunction(() => window.ready === true);
    return page;
  };
  const page = await newPage();
  const run = async (script, files = {}) => {
    const encoded = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]));
    const { output, snapshots } = await page.evaluate(([text, given]) => window.run(text, given), [script, encoded]);
    return { output, snapshots: new Map(snapshots.map(([name, base64]) => [name, Buffer.from(base64, "base64")])) };
  };
  const closed = once(context, "close").then(() => server.close());
  const close = async () => {
    await context.close();
    await closed;
    await rm(profile, { recursive: true, force: true });
  };
  return { page, newPage, context, origin: server.origin, profile, complaints, run, close, closed };
}
