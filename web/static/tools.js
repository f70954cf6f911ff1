// The Tools view: what the server offers, a form for each tool, and its answer.

import { loginForm, make } from "./dom.js";
import { SchemaForm } from "./form.js";
import { problemText } from "./problems.js";
import { bytesOfBase64, sizeText } from "./value.js";

const linesShown = 200; // of progress and logs

export class ToolsView {
  #root;
  #session;
  #views;
  #about = new Map(); // by tool: what /status tells of it
  #shown = null; // { name, listing, call }
  #runs = new Map(); // by tool: what stands on its side, kept while others are looked at

  constructor(root, session, views) {
    this.#root = root;
    this.#session = session;
    this.#views = views;
    this.#part("[name=tools-filter]").addEventListener("input", () => this.#list());
    session.addEventListener("tools", () => this.#renew());
    session.addEventListener("change", () => this.#state());
    views.addEventListener("change", () => this.#open());
    this.#state();
  }

  /** enter(token) is called with what the form for the token gets. */
  enter = () => {};

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #state() {
    const { state, problem } = this.#session;
    const gate = this.#part(".gate");
    this.#part(".tools").hidden = state === "locked";
    if (state === "locked" && !gate.firstChild) gate.replaceChildren(loginForm((token) => this.enter(token)));
    if (state !== "locked") gate.replaceChildren();
    this.#part(".outage").textContent = problem && (state === "locked" ? problem : `${problem} The tools are those that were there last.`);
  }

  async #renew() {
    this.#list();
    this.#open();
    try {
      const { tools } = await this.#session.client.look("/status");
      this.#about = new Map(tools.map((t) => [t.name, t]));
    } catch {
      this.#about = new Map(); // --metrics-disabled: nothing is told
    }
    this.#describe();
  }

  #list() {
    const wanted = this.#part("[name=tools-filter]").value.trim().toLowerCase();
    const all = this.#session.tools;
    const shown = all.filter((t) => `${t.name} ${t.title ?? ""} ${t.description ?? ""}`.toLowerCase().includes(wanted));
    this.#part(".tool-list").replaceChildren(...shown.map((t) => make("li", {}, make("a", { href: `#tools/${encodeURIComponent(t.name)}` },
      make("span", { className: "tool-name", textContent: t.name }), t.title && t.title !== t.name ? make("span", { className: "tool-title", textContent: t.title }) : null))));
    this.#part(".tool-count").textContent = shown.length === all.length ? `${all.length}` : `${shown.length} of ${all.length}`;
    this.#part(".tool-none").textContent = shown.length > 0 ? "" : all.length > 0 ? "No tool fits." : "This server has no tools.";
    this.#mark();
  }

  #mark() {
    for (const link of this.#root.querySelectorAll(".tool-list a")) {
      if (link.querySelector(".tool-name").textContent === this.#shown?.name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  /** Shows the tool that the address names. What was filled in stays while its listing does. */
  #open() {
    if (this.#views.current !== "tools") return;
    const { tools } = this.#session;
    const name = this.#views.opened || tools[0]?.name;
    const listing = tools.find((t) => t.name === name);
    const panel = this.#part(".tool-panel");
    if (!listing) {
      this.#shown = null;
      panel.replaceChildren(...(tools.length > 0 ? [make("p", { className: "empty", textContent: `There is no tool ${name} on this server now.` })] : []));
      return this.#mark();
    }
    const text = JSON.stringify(listing);
    let run = this.#runs.get(name);
    if (run?.text !== text) {
      run?.cancel();
      run = new ToolRun(listing, text, this.#session.client);
      this.#runs.set(name, run);
    }
    if (this.#shown !== run) {
      this.#shown = run;
      panel.replaceChildren(run.element);
    }
    this.#describe();
    this.#mark();
  }

  #describe() {
    this.#shown?.describe(this.#about.get(this.#shown.name));
  }
}

/** One tool: its form, and its latest call. */
class ToolRun {
  #listing;
  #client;
  #form;
  #parts = {};
  #calling = null;
  #urls = [];

  constructor(listing, text, client) {
    this.#listing = listing;
    this.#client = client;
    Object.assign(this, { text, name: listing.name });
    this.#form = new SchemaForm(listing.inputSchema);
    this.element = this.#build();
  }

  cancel() {
    this.#calling?.abort();
  }

  #build() {
    const { name, title, description } = this.#listing;
    const part = (key, tag, properties = {}, ...children) => (this.#parts[key] = make(tag, properties, ...children));
    const form = make("form", { autocomplete: "off", noValidate: true },
      this.#form.element,
      part("problem", "div", { className: "problem", role: "alert" }),
      make("div", { className: "set-line" },
        part("swap", "button", { type: "button", className: "quiet", textContent: "Edit as JSON", hidden: !this.#form.hasFields }),
        part("cancel", "button", { type: "button", className: "quiet", textContent: "Cancel", disabled: true }),
        part("call", "button", { type: "submit", className: "primary", textContent: "Call" })));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#calling === null) this.#call();
    });
    form.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.requestSubmit());
    this.#parts.cancel.addEventListener("click", () => this.cancel());
    this.#parts.swap.addEventListener("click", () => this.#swap());
    return make("div", {},
      make("h2", { textContent: title || name }),
      title && title !== name ? make("p", { className: "tool-name", textContent: name }) : null,
      make("p", { className: "about", textContent: description ?? "" }),
      part("badges", "ul", { className: "badges", "aria-label": "What is known of the tool" }),
      form,
      part("note", "p", { className: "note", role: "status" }),
      part("progress", "progress", { hidden: true, "aria-label": "Progress" }),
      part("log", "ol", { className: "log", "aria-label": "What the tool told while it ran", hidden: true }),
      part("result", "div", { className: "answer", role: "group", "aria-label": "Result" }));
  }

  /** Shows what the listing and, where the server tells, its status say. */
  describe(told) {
    const { annotations = {} } = this.#listing;
    const badges = [];
    const add = (text, className = "") => badges.push(make("li", { textContent: text, className }));
    if (told) add(told.module ? `WebAssembly module ${told.module}` : told.kind);
    if (annotations.readOnlyHint) add("read-only");
    else if (annotations.destructiveHint) add("may destroy", "warn");
    if (annotations.idempotentHint && !annotations.readOnlyHint) add("idempotent");
    if (annotations.openWorldHint) add("reaches outside");
    if (told?.capabilities) for (const text of capabilityTexts(told.capabilities)) add(text, "may");
    this.#parts.badges.replaceChildren(...badges);
    this.#parts.badges.hidden = badges.length === 0;
  }

  #swap() {
    this.#parts.problem.textContent = "";
    try {
      this.#form.toggle();
      this.#parts.swap.textContent = this.#form.isText ? "Edit as a form" : "Edit as JSON";
    } catch (error) {
      this.#parts.problem.textContent = error.message;
    }
  }

  async #call() {
    const { problem, note, progress, log, result, call, cancel } = this.#parts;
    problem.textContent = "";
    let args;
    try {
      args = this.#form.read();
    } catch (error) {
      problem.textContent = error.message;
      return;
    }
    this.#calling = new AbortController();
    call.disabled = !(cancel.disabled = false);
    note.textContent = "Running …";
    progress.hidden = log.hidden = true;
    progress.removeAttribute("value");
    log.replaceChildren();
    this.#clear();
    result.classList.remove("failed");
    const started = performance.now();
    const took = () => tookText(performance.now() - started);
    try {
      const answer = await this.#client.callTool(this.name, args, { signal: this.#calling.signal, hear: (m) => this.#hear(m) });
      note.textContent = answer.isError ? `The tool failed after ${took()}.` : `Done in ${took()}.`;
      this.#show(answer);
    } catch (error) {
      note.textContent = error.code === "cancelled" ? `Cancelled after ${took()}.` : `No result after ${took()}.`;
      if (error.code !== "cancelled") problem.textContent = problemText(error);
    }
    this.#calling = null;
    cancel.disabled = !(call.disabled = false);
    progress.hidden = true;
  }

  #hear({ method, params }) {
    const { progress, log, note } = this.#parts;
    let line;
    if (method === "notifications/progress") {
      progress.hidden = false;
      if (params.total) Object.assign(progress, { max: params.total, value: params.progress });
      note.textContent = `Running: ${params.progress}${params.total ? ` of ${params.total}` : ""}`;
      line = params.message;
    } else if (method === "notifications/message") {
      line = `${params.level}: ${typeof params.data === "string" ? params.data : JSON.stringify(params.data)}`;
    }
    if (!line) return;
    log.hidden = false;
    log.append(make("li", { textContent: line }));
    if (log.childElementCount > linesShown) log.firstElementChild.remove();
  }

  #clear() {
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
    this.#parts.result.replaceChildren();
  }

  #show({ content = [], structuredContent, isError = false }) {
    const { result } = this.#parts;
    result.classList.toggle("failed", isError);
    const structured = structuredContent === undefined ? null : JSON.stringify(structuredContent, null, 2);
    const parts = content.filter((c) => !(structured && c.type === "text" && repeats(c.text, structuredContent)));
    result.append(...parts.map((c) => this.#content(c)));
    if (structured) result.append(block("Structured result", structured));
    if (!result.firstChild) result.append(make("p", { className: "about", textContent: "The answer is empty." }));
  }

  #content(c) {
    switch (c.type) {
      case "text": return block("Text", pretty(c.text));
      case "image": return this.#image(c);
      case "resource_link": return block("Link to a resource", `${c.title ?? c.name ?? ""}\n${c.uri}`.trim());
      case "resource": return block(`Resource ${c.resource?.uri ?? ""}`, c.resource?.text ?? `${sizeText(bytesOfBase64(c.resource?.blob ?? "").length)} of ${c.resource?.mimeType ?? "bytes"}`);
      case "audio": return block("Sound", `${sizeText(bytesOfBase64(c.data).length)} of ${c.mimeType}`);
      default: return block(String(c.type), JSON.stringify(c, null, 2));
    }
  }

  #image({ data, mimeType }) {
    const bytes = bytesOfBase64(data);
    const url = URL.createObjectURL(new Blob([bytes], { type: mimeType }));
    this.#urls.push(url);
    return make("figure", {}, make("img", { src: url, alt: `The image that ${this.name} answered with` }),
      make("figcaption", { textContent: `${mimeType}, ${sizeText(bytes.length)}` }));
  }
}

const block = (label, text) => make("div", { className: "block" }, make("h3", { textContent: label }), make("pre", { tabIndex: 0, textContent: text, role: "group", "aria-label": label }));

const tookText = (millis) => (millis < 1000 ? `${millis.toFixed(1)} ms` : `${(millis / 1000).toFixed(2)} s`);

/** JSON with lines; other text as it is. */
function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Whether a text is the structured content once more, which servers send for old clients. */
function repeats(text, structured) {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(structured);
  } catch {
    return false;
  }
}

/** What a module may have, a text for each grant. */
function capabilityTexts({ state = [], files = [], http = [], env_count: variables = 0 }) {
  const texts = [
    ...state.map((g) => `${g.write ? "reads and writes" : "reads"} ${g.prefix === "" ? "all keys" : `keys ${g.prefix}…`}`),
    ...files.map((g) => `${g.write ? "reads and writes" : "reads"} the folder ${g.path}`),
    ...http.map((g) => `${(g.methods ?? ["GET", "HEAD"]).join(", ")} to ${g.host === "*" ? "any host" : g.host}${g.private ? ", private ones too" : ""}`),
    ...(variables > 0 ? [`${variables} environment variable${variables === 1 ? "" : "s"}`] : []),
  ];
  return texts.length > 0 ? texts : ["may only compute"];
}
