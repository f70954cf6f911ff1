// The Traffic view: what /status tells, asked for while it is seen. What happened
// between two looks is the difference of the tools' histograms.

import { draw, loginForm, make } from "./dom.js";
import { chip, slots } from "./gauges.js";
import { problemText } from "./problems.js";
import { countText, sizeText, timeText } from "./value.js";

const lookMillis = 2000; // from one look to the next, about: see app.js
const looksKept = 60; // the last two minutes
const width = 180;
const height = 40;

export class TrafficView {
  #root;
  #session;
  #before = null; // the status of the look before
  #history = new Map(); // by tool: [{ calls, errors, buckets }, …], one for each look
  #cards = new Map();

  constructor(root, session) {
    this.#root = root;
    this.#session = session;
    session.addEventListener("change", () => this.#state());
    this.#state();
  }

  /** enter(token) is called with what the form for the token gets. */
  enter = () => {};

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #state() {
    const { state, problem } = this.#session;
    const locked = state === "locked";
    if (locked) this.#part(".outage").textContent = problem ?? "";
    const gate = this.#part(".gate");
    this.#part(".traffic").hidden = locked;
    if (locked && !gate.firstChild) gate.replaceChildren(loginForm((token) => this.enter(token)));
    if (!locked) gate.replaceChildren();
  }

  /** Asks and shows; for what is wrong it says why, and what was there last stays. */
  async look() {
    const outage = this.#part(".outage");
    try {
      const status = await this.#session.client.look("/status");
      this.#note(status);
      this.#show(status);
      this.#before = status;
      outage.textContent = "";
    } catch (error) {
      if (error.code === "unauthorized") throw error;
      outage.textContent = error.code === "protocol" ? `${problemText(error)} Was it started with --metrics-disabled?` : problemText(error);
    }
  }

  /** Keeps what happened since the look before. A server that was started anew begins anew. */
  #note(status) {
    if (this.#before && status.uptime_seconds < this.#before.uptime_seconds) this.#before = null;
    if (this.#before === null) this.#history.clear();
    const before = new Map(this.#before?.tools.map((t) => [t.name, t]));
    for (const tool of status.tools) {
      const history = this.#history.get(tool.name) ?? [];
      const was = before.get(tool.name);
      if (this.#before) history.push(difference(tool, was?.calls <= tool.calls ? was : undefined));
      this.#history.set(tool.name, history.slice(-looksKept));
    }
  }

  #show(status) {
    const { server, tools, uptime_seconds: uptime } = status;
    const total = sum(tools.map((t) => t.calls));
    const failed = sum(tools.map(errorsOf));
    this.#facts([
      ["Server", `${server.name} ${server.version}`], ["Up for", timeText(uptime * 1000)], ["Calls", countText(total)],
      ["Errors", failed === 0 ? "none" : `${countText(failed)} (${percent(failed, total)})`], ["Running", countText(sum(tools.map((t) => t.in_flight)))],
      ...(status.state ? [["State", stateText(status.state)]] : []),
    ]);
    const busy = tools.filter((t) => t.calls > 0 || t.in_flight > 0);
    const idle = tools.filter((t) => !busy.includes(t));
    const cards = busy.map((tool) => this.#card(tool, status.bucket_ms));
    const list = this.#part(".traffic-tools");
    cards.forEach((card, i) => list.children[i] !== card && list.insertBefore(card, list.children[i] ?? null));
    while (list.children.length > cards.length) list.lastElementChild.remove();
    this.#part(".empty").hidden = busy.length > 0;
    this.#part(".idle").textContent = idle.length > 0 ? `Not called yet: ${idle.map((t) => t.name).join(", ")}.` : "";
    this.#part(".shared").replaceChildren(...(status.middleware ?? []).map(chip));
    this.#part(".shared-part").hidden = !status.middleware?.length;
    this.#modules(status.modules ?? []);
  }

  #facts(facts) {
    this.#part(".facts").replaceChildren(...facts.map(([label, text]) => make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: text, title: text }))));
  }

  /** The card of a tool, made once and filled at each look. */
  #card(tool, bounds) {
    let card = this.#cards.get(tool.name);
    if (!card) {
      card = make("li", { className: "card" });
      this.#cards.set(tool.name, card);
    }
    const history = this.#history.get(tool.name) ?? [];
    const recent = addUp(history.map((h) => h.buckets));
    const p = (buckets, q) => boundText(quantile(buckets, q), bounds);
    const all = tool.buckets ?? [];
    card.replaceChildren(
      make("div", { className: "card-head" }, make("h3", {}, make("a", { href: `#tools/${encodeURIComponent(tool.name)}`, textContent: tool.name })),
        make("span", { className: "kind", textContent: tool.kind })),
      numbers([["Calls", countText(tool.calls)], ["Running", countText(tool.in_flight)], ["Mean", millisText(tool.mean_ms)],
        ["p50", p(all, 0.5)], ["p90", p(all, 0.9)], ["p99", p(all, 0.99)]]),
      make("figure", { className: "spark" }, sparkline(tool.name, history, bounds),
        make("figcaption", { textContent: sum(recent) > 0 ? `Last ${timeText(history.length * lookMillis)}: ${counted(sum(recent))}, p99 ${p(recent, 0.99)}` : "No call while you looked" })),
      make("ul", { className: "badges", "aria-label": `Errors and middleware of ${tool.name}` },
        ...(errorsOf(tool) === 0 ? [make("li", { className: "good", textContent: "no errors" })] : []),
        ...Object.entries(tool.errors ?? {}).map(([kind, n]) => make("li", { className: "warn", textContent: `${countText(n)} ${kind}` })),
        ...(tool.middleware ?? []).map(chip)),
    );
    return card;
  }

  #modules(modules) {
    this.#part(".modules-part").hidden = modules.length === 0;
    this.#part(".modules").replaceChildren(...modules.map((m) => make("li", { className: "card" },
      make("div", { className: "card-head" }, make("h3", { textContent: m.name }), make("span", { className: "kind" }, slots(m.running, m.idle), "WebAssembly")),
      numbers([["Calls", countText(m.calls)], ["Fuel", countText(m.fuel)], ["Running", countText(m.running)], ["Waiting", countText(m.queued)],
        ["Instances", `${countText(m.instances)}, ${countText(m.idle)} idle`], ["Discarded", countText(m.discarded)]]),
      make("ul", { className: "badges", "aria-label": `Errors and refusals of ${m.name}` },
        ...Object.entries(m.errors ?? {}).map(([kind, n]) => make("li", { className: "warn", textContent: `${countText(n)} ${kind}` })),
        ...Object.entries(m.refusals ?? {}).map(([kind, n]) => make("li", { className: "warn", textContent: `${countText(n)} refused: ${kind}` }))))));
  }
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const counted = (n) => `${countText(n)} ${n === 1 ? "call" : "calls"}`;
const errorsOf = (tool) => sum(Object.values(tool.errors ?? {}));
const percent = (part, all) => (all === 0 ? "0 %" : `${((100 * part) / all).toFixed(part / all < 0.1 ? 1 : 0)} %`);
const millisText = (ms) => (ms === 0 ? "–" : ms < 0.1 ? `${(ms * 1000).toFixed(0)} µs` : ms < 1000 ? `${ms.toFixed(ms < 10 ? 2 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`);
const stateText = ({ keys, bytes, bytes_max: max }) => `${countText(keys)} keys, ${sizeText(bytes)}${max ? ` of ${sizeText(max)}` : ""}`;
const numbers = (pairs) => make("dl", { className: "numbers" }, ...pairs.map(([label, text]) => make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: text }))));

/** What a tool did since it was as before, or since the server's start. */
function difference(tool, before) {
  const buckets = (tool.buckets ?? []).map((n, i) => n - (before?.buckets?.[i] ?? 0));
  return { buckets, calls: sum(buckets), errors: errorsOf(tool) - (before ? errorsOf(before) : 0) };
}

function addUp(lists) {
  const all = [];
  for (const list of lists) list.forEach((n, i) => (all[i] = (all[i] ?? 0) + n));
  return all;
}

/** The bucket in which the fastest q of the calls end; -1 without calls. */
export function quantile(buckets, q) {
  const wanted = q * sum(buckets);
  let seen = 0;
  return wanted === 0 ? -1 : buckets.findIndex((n) => (seen += n) >= wanted);
}

function boundText(bucket, bounds) {
  if (bucket < 0) return "–";
  const text = (ms) => (ms < 1 ? `${ms * 1000} µs` : ms < 1000 ? `${ms} ms` : `${ms / 1000} s`);
  return bucket < bounds.length ? `≤ ${text(bounds[bucket])}` : `> ${text(bounds.at(-1))}`;
}

/** Bars are the calls of each look, the line the p99 of those looks that had calls, by its bucket. */
function sparkline(name, history, bounds) {
  const step = width / looksKept;
  const most = Math.max(1, ...history.map((h) => h.calls));
  const left = width - history.length * step;
  const x = (i) => left + i * step;
  const points = [];
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  svg.append(draw("line", { class: "base", x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }));
  history.forEach((h, i) => {
    if (h.calls === 0) return;
    const tall = Math.max(2, (h.calls / most) * (height - 4));
    svg.append(draw("rect", { class: h.errors > 0 ? "bar bad" : "bar", x: x(i) + 0.3, y: height - tall, width: step - 0.6, height: tall }));
    points.push([x(i) + step / 2, height - 2 - (quantile(h.buckets, 0.99) / bounds.length) * (height - 4)]);
  });
  if (points.length > 1) svg.append(draw("polyline", { class: "line", points: points.map((at) => at.map((n) => n.toFixed(1)).join(",")).join(" ") }));
  for (const [cx, cy] of points) svg.append(draw("path", { class: "point", d: `M${cx.toFixed(2)} ${cy.toFixed(2)}h0.001` }));
  svg.setAttribute("aria-label", `Calls of ${name} and their latency in the last ${timeText(history.length * lookMillis)}: ${counted(sum(history.map((h) => h.calls)))}`);
  return svg;
}
