// Projects that have the packed package installed, and the pages that run them.
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

/** run runs a command and gives what it wrote; what it wrote is in its error too. */
export const run = promisify(execFile);

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:";
/** What Chromium is started with. */
export const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** What the program below gives everywhere. */
export const EXPECTED = "hello 1 ERR_CONFLICT true";

/** The program that every environment runs, on an `open` and an `IngotError`. */
export const PROGRAM = `
async function program() {
  const store = await open();
  store.set("greeting", "hello", { ttl: 60_000 });
  const snapshot = await store.snapshot();
  let code;
  try {
    store.set("greeting", "again", { ifAbsent: true });
  } catch (error) {
    if (error instanceof IngotError) code = error.code;
  }
  const copy = await open();
  await copy.restore(snapshot);
  const result = [copy.getString("greeting"), store.stats().keys, code, copy.get("greeting") instanceof Uint8Array].join(" ");
  await store.close();
  await copy.close();
  return result;
}
`;

/** A page that loads main.js, which says what came of it in the title. */
export const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>running</title><link rel="icon" href="data:,"><script type="module" src="./main.js"></script></html>\n`;

/** shown tells a page's result, or what it failed with, in its title. */
export const shown = (promise) => `${promise}.then((result) => (document.title = "done " + result), (error) => (document.title = "failed " + (error.stack ?? error)));\n`;

/** pack packs the package as it was built, and gives the archive's path. */
export async function pack(dir) {
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", dir], { cwd: PACKAGE });
  return join(dir, JSON.parse(stdout)[0].filename);
}

/** temporary makes a folder that is gone when the tests are over. */
export async function temporary(after) {
  const dir = await mkdtemp(join(tmpdir(), "ingot-environments-"));
  after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** install unpacks the archive where a project in dir finds it, as npm does. */
export async function install(archive, dir) {
  const installed = join(dir, "node_modules", "ingot-state");
  await mkdir(installed, { recursive: true });
  await run("tar", ["xzf", archive, "-C", installed, "--strip-components=1"]);
}

/** write writes a project's files, by name. */
export async function write(dir, files) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
}

/** serve serves the files of a folder under a policy that lets nothing be evaluated but WebAssembly. */
export async function serve(root) {
  const server = createServer(async (request, response) => {
    const path = join(root, new URL(request.url, "http://localhost").pathname); // a URL's path has no ".." left in it
    const known = await stat(path).catch(() => undefined);
    if (!known?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "content-security-policy": POLICY });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

/** startBrowser starts Chromium. result(url) opens a page and gives what its program came to. */
export async function startBrowser(profile) {
  const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  const result = async (url) => {
    const page = await context.newPage();
    const complaints = [];
    const requests = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.goto(url);
    await page.waitForFunction(() => /^(done|failed) /.test(document.title)).catch((error) => {
      throw new Error(`${error.message}; the page says: ${complaints.join("; ")}`);
    });
    const title = await page.title();
    await page.close();
    return { title, complaints, requests };
  };
  return { result, close: () => context.close() };
}
