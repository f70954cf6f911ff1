// The page: two panes over two sources, kept up to date.

import { McpClient, protocolVersion } from "./mcp.js";
import { Pane } from "./pane.js";
import { problemText } from "./problems.js";
import { ServerSource } from "./source_server.js";
import { openTab } from "./source_tab.js";
import { ToolRunner } from "./tool.js";

const tickMillis = 1000;
const pollMillis = 2000;
const pollMillisMax = 15_000;
const tokenKey = "ingot-token"; // in the session storage, which ends with the tab

const tabTexts = {
  name: "This tab",
  about: "The ingot engine as WebAssembly, in memory. It ends with the tab.",
  empty: "This tab holds nothing yet. Set a key above, or start with some examples.",
  copy: (key) => `Send ${key} to the server`,
  copied: (key, version) => `Sent ${key} to the server, where it is version ${version}.`,
  twin: { same: "same on server", differs: "differs on server" },
};

const serverTexts = {
  name: "Connected server",
  about: "The same engine in the ingot process, over MCP.",
  empty: "The server holds nothing yet. Set a key above, or send one from this tab.",
  copy: (key) => `Bring ${key} to this tab`,
  copied: (key, version) => `Brought ${key} to this tab, where it is version ${version}.`,
  twin: { same: "same in tab", differs: "differs in tab" },
};

/** What the server says of itself, or what stands in for it while it is gone. */
async function readInfo() {
  try {
    const response = await fetch("/info.json");
    if (response.ok) return await response.json();
  } catch {
    // The server pane tells of a server that is gone.
  }
  return { version: "", backend: "", endpoint: "/mcp", tabEngine: true, auth: "" };
}

/** Puts up the tab's pane; resolves to it, or to null when no engine runs in it. */
async function startTab(info) {
  let tab = null;
  let problem = null;
  if (info.tabEngine) {
    try {
      tab = await openTab();
    } catch (error) {
      problem = error;
    }
  }
  const pane = new Pane("tab", tab?.source, tabTexts);
  document.getElementById("panes").prepend(pane.element);
  if (!tab) {
    pane.setState("lost", "not available");
    pane.setUnusable(...(problem ? startFailed(problem) : builtWithout()));
    return null;
  }
  pane.setState("ready", "running");
  new ToolRunner(document.getElementById("tool"), tab.store);
  await keepTab(tab, pane);
  return pane;
}

/** Shows the tab's engine after each change and gives it its time, until it fails. */
async function keepTab(tab, pane) {
  const fail = (error) => {
    clearInterval(timer);
    pane.setState("lost", "stopped");
    pane.setOutage(`${problemText(error)}. Reload the page to start a new engine; what this one held is lost.`);
  };
  const show = async () => {
    await pane.refresh();
    pane.setFacts(tab.facts());
  };
  const timer = setInterval(() => {
    try {
      tab.tick();
      pane.tick();
    } catch (error) {
      fail(error);
    }
  }, tickMillis);
  tab.watch(() => show().catch(fail)).catch(fail);
  await show();
}

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

const builtWithout = () => [
  element("p", "This ingot was built without the engine for the browser. Build it with that, and start it again:"),
  element("pre", "make build\nbin/ingot serve"),
  element("p", "The server beside works all the same."),
];

const startFailed = (problem) => [
  element("p", "The engine did not start in this tab:"),
  element("pre", problem.message),
  element("p", "It needs WebAssembly, which a browser setting or extension may switch off."),
];

/** Starts the server pane and asks the server now and then, less often while it is gone or the page is hidden. */
async function startServer(info) {
  const client = new McpClient(info.endpoint, { name: "ingot-page", version: info.version || "0" });
  const pane = new Pane("server", new ServerSource(client), serverTexts);
  document.getElementById("panes").append(pane.element);
  let server = null;
  let wait = pollMillis;
  client.token = sessionStorage.getItem(tokenKey);

  const lock = (problem) => {
    pane.setState("lost", "locked");
    pane.setOutage(problem);
    sessionStorage.removeItem(tokenKey);
    pane.lock(async (token) => {
      client.token = token;
      await poll();
      if (!pane.locked) sessionStorage.setItem(tokenKey, token);
    });
  };
  const poll = async () => {
    try {
      server ??= await client.discover();
      await pane.refresh();
      wait = pollMillis;
      pane.unlock();
      pane.setOutage(null);
      pane.setState("ready", "connected");
      pane.setFacts(serverFacts(server, info, client));
    } catch (error) {
      server = null; // what comes back may be another one
      if (error.code === "unauthorized") return lock(error.message);
      pane.setState("lost", error.code === "unreachable" ? "no answer" : "trouble");
      pane.setOutage(`${problemText(error)} The list shows what was there last. Trying again every few seconds.`);
      wait = Math.min(wait * 2, pollMillisMax);
    }
  };
  setInterval(() => pane.tick(), tickMillis);
  if (info.auth && client.token === null) lock(null);
  else await poll();
  (async () => {
    for (;;) {
      await sleep(wait);
      await untilVisible();
      if (!pane.locked) await poll();
    }
  })();
  return pane;
}

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

async function untilVisible() {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

function serverFacts(server, info, client) {
  const self = server._meta?.["io.modelcontextprotocol/serverInfo"];
  const facts = [
    ["Server", self ? `${self.name} ${self.version}` : "unnamed"],
    ["Protocol", `MCP ${protocolVersion}`],
    ["Round trip", `${client.lastMillis.toFixed(1)} ms`],
  ];
  if (info.backend) facts.push(["Hash", info.backend]); // not told to those without a token
  return facts;
}

/** Shows what a client's configuration needs, with a button that copies it. */
function showConfig({ endpoint, auth }) {
  const server = { type: "http", url: new URL(endpoint, location.href).href };
  if (auth === "token") server.headers = { Authorization: "Bearer ${INGOT_TOKEN}" }; // the client fills it in
  const text = JSON.stringify({ mcpServers: { ingot: server } }, null, 2);
  const note = document.getElementById("copy-note");
  document.getElementById("config").textContent = text;
  document.getElementById("copy-config").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      note.textContent = "Copied.";
    } catch {
      note.textContent = "The browser did not allow it. Select the text and copy it by hand.";
    }
  });
}

const info = await readInfo();
document.getElementById("release").textContent = info.version;
showConfig(info);
const [tab, server] = await Promise.all([startTab(info), startServer(info)]);
if (tab) {
  const markTwins = () => {
    tab.markTwins(server);
    server.markTwins(tab);
  };
  tab.onShown = server.onShown = markTwins;
  tab.onCopy = (key) => tab.copyTo(server, key);
  server.onCopy = (key) => server.copyTo(tab, key);
  markTwins();
} else {
  document.documentElement.dataset.tab = "none"; // nothing to bring entries to
}
document.documentElement.dataset.ready = "true"; // the panes are filled; tests wait for it
