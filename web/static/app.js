// The page: its views over one session with the server, and the engine in this
// tab. The State view is two panes over two sources.

import { offerBenchmark } from "./bench.js";
import { KeptStore } from "./kept.js";
import { McpClient } from "./mcp.js";
import { Pane } from "./pane.js";
import { problemText } from "./problems.js";
import { Session } from "./session.js";
import { ServerSource } from "./source_server.js";
import { openTab } from "./source_tab.js";
import { ToolRunner } from "./tool.js";
import { ToolsView } from "./tools.js";
import { TrafficView } from "./traffic.js";
import { Views } from "./views.js";
import { AgentSwitch } from "./webmcp.js";

const tickMillis = 1000;
const pollMillis = 2000;
const pollMillisMax = 15_000;

const tabTexts = {
  name: "This tab",
  about: "The ingot engine as WebAssembly, in memory. It ends with the tab.",
  empty: "This tab holds nothing yet. Set a key above, or start with some examples.",
  copy: (key) => `Send ${key} to the server`,
  copyOpen: "Send to the server",
  copied: (key, version) => `Sent ${key} to the server, where it is version ${version}.`,
  twin: { same: "same on server", differs: "differs on server" },
};

const serverTexts = {
  name: "Connected server",
  about: "The same engine in the ingot process, over MCP.",
  empty: "The server holds nothing yet. Set a key above, or send one from this tab.",
  copy: (key) => `Bring ${key} to this tab`,
  copyOpen: "Bring to this tab",
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
  const pane = new Pane("tab", tab?.source, tabTexts, { told: true });
  document.getElementById("panes").prepend(pane.element);
  if (!tab) {
    pane.setState("lost", "not available");
    pane.setUnusable(...(problem ? startFailed(problem) : builtWithout()));
    return null;
  }
  pane.setState("ready", "running");
  new ToolRunner(document.getElementById("tool"), tab.store);
  new AgentSwitch(document.getElementById("agent"), tab.store);
  offerBenchmark(document.getElementById("bench"));
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
  tab.watch((changes) => {
    pane.noticed(changes);
    show().catch(fail);
  }).catch(fail);
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

/** Starts the views of the server, and asks it now and then, less often while it is gone or the page is hidden. */
async function startServer(session, views) {
  const { client, info } = session;
  const pane = new Pane("server", new ServerSource(client), serverTexts);
  document.getElementById("panes").append(pane.element);
  const tools = new ToolsView(document.getElementById("view-tools"), session, views);
  const traffic = new TrafficView(document.getElementById("view-traffic"), session);
  let wait = pollMillis;
  const poll = async () => {
    const well = await session.poll(() => {
      if (views.current === "traffic") return traffic.look();
      return session.hasState && views.current === "state" ? pane.refresh() : client.discover();
    });
    wait = well ? pollMillis : Math.min(wait * 2, pollMillisMax);
  };
  const enter = (token) => {
    client.token = token;
    return poll();
  };
  tools.enter = traffic.enter = enter;
  session.addEventListener("tools", () => offerState(session.hasState, views));
  session.addEventListener("change", () => showState(session, pane, enter));
  if (session.needsToken) session.lock(null);
  else await poll();
  views.addEventListener("change", () => session.state === "ready" && poll());
  setInterval(() => pane.tick(), tickMillis);
  (async () => {
    for (;;) {
      await sleep(wait);
      await untilVisible();
      if (session.state !== "locked") await poll();
    }
  })();
  return pane;
}

/** A server without the tools for it has no State view; this tab's pane is in Local then. */
function offerState(offered, views) {
  views.offer("state", offered);
  document.documentElement.dataset.remote = offered ? "state" : "none"; // nothing to send entries to
  const tab = document.getElementById("tab");
  const place = document.getElementById(offered ? "panes" : "local-panes");
  if (tab && tab.parentElement !== place) place.prepend(tab);
}

/** Says how the server stands, in the head of the page and in its pane. */
function showState({ state, problem, code, facts }, pane, enter) {
  const text = { starting: "starting", ready: "connected", locked: "locked", lost: code === "unreachable" ? "no answer" : "trouble" }[state];
  const link = document.getElementById("link");
  link.dataset.state = pane.element.dataset.state = state === "locked" ? "lost" : state;
  link.title = problem ?? "";
  link.querySelector(".state-text").textContent = text;
  pane.setState(link.dataset.state, text);
  pane.setOutage(state === "lost" ? `${problem} The list shows what was there last. Trying again every few seconds.` : problem);
  if (state === "locked") return pane.lock(enter);
  if (state !== "ready") return;
  pane.unlock();
  pane.setFacts(facts);
}

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

async function untilVisible() {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
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

// The page's policy takes no address of a script from text; that of the store's worker,
// which the npm package starts, is the one exception.
const workerPath = "/js/worker.js";
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (text) => (new URL(text, location.href).href === new URL(workerPath, location.href).href ? text : null),
});

const info = await readInfo();
document.getElementById("release").textContent = info.version;
showConfig(info);
const views = new Views(document.getElementById("views"), document.querySelector("main"));
const session = new Session(new McpClient(info.endpoint, { name: "ingot-page", version: info.version || "0" }), info);
if (info.tabEngine) new KeptStore(document.getElementById("kept"), views);
else document.getElementById("kept").hidden = true;
const [tab, server] = await Promise.all([startTab(info), startServer(session, views)]);
offerState(session.hasState || session.state !== "ready", views);
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
