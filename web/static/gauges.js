// Small drawings of what guards a tool: they say nothing that the text beside them
// does not say too, so they are hidden from those who hear the page.

import { draw, make } from "./dom.js";
import { countText, sizeText, timeText } from "./value.js";

const height = 12;
const slotsMax = 24; // that are drawn
const barWidth = 60;
const breakerStates = ["closed", "half_open", "open"];

const gauges = {
  circuit_breaker: ({ status }) => lamps(breakerStates.indexOf(status)),
  recovery: ({ status }) => (breakerStates.includes(status) ? lamps(breakerStates.indexOf(status)) : null),
  bulkhead: ({ counts }) => slots(counts.running ?? 0, counts.waiting ?? 0),
  cache: ({ counts }) => share(counts.hits ?? 0, counts.misses ?? 0),
};

/** What a middleware does, as an element of a list: drawn where it can be, and in words. */
export function chip({ type, status, counts = {}, tracked = 0 }) {
  const figures = Object.entries(counts).filter(([, n]) => n !== 0).map(([name, n]) => figure(name, n));
  if (type === "cache" && counts.hits + counts.misses > 0) figures.unshift(`${Math.round((100 * counts.hits) / (counts.hits + counts.misses))} % hits`);
  if (tracked > 0) figures.push(`errors kept ${countText(tracked)}`);
  const text = [type, status].filter(Boolean).map((word) => word.replaceAll("_", " ")).join(": ") + (figures.length > 0 ? ` (${figures.join(", ")})` : "");
  const kind = { open: "warn", half_open: "warn", closed: "good" }[status] ?? (counts.refused > 0 ? "warn" : "");
  return make("li", { className: kind }, gauges[type]?.({ status, counts }) ?? null, text);
}

function figure(name, n) {
  switch (name) {
    case "open_ms": return `tries again in ${timeText(n)}`;
    case "bytes": return sizeText(n);
    case "microseconds": return `${(n / 1000).toFixed(1)} ms in all`;
    default: return `${name.replaceAll("_", " ")} ${countText(n)}`;
  }
}

const canvas = (kind, width, ...children) =>
  draw("svg", { class: `gauge gauge-${kind}`, viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, ...children);

/** The states of a breaker in a row, with the present one lit. */
const lamps = (lit) => canvas("breaker", 3 * height,
  ...breakerStates.map((state, i) => draw("circle", { class: i === lit ? `lamp lit ${state}` : "lamp", cx: (i + 0.5) * height, cy: height / 2, r: 4 })));

/** A square for each that runs, and a hollow one for each that waits or is idle. */
export function slots(full, hollow) {
  const shown = Math.min(full + hollow, slotsMax);
  if (shown === 0) return null;
  return canvas("slots", shown * 9, ...Array.from({ length: shown }, (_, i) => draw("rect", { class: i < full ? "slot full" : "slot", x: i * 9 + 1, y: 2.5, width: 7, height: 7, rx: 1 })));
}

/** Of a bar, the part that is good. */
function share(good, bad) {
  if (good + bad === 0) return null;
  const width = (barWidth * good) / (good + bad);
  return canvas("share", barWidth, draw("rect", { class: "whole", x: 0, y: 2, width: barWidth, height: 8, rx: 2 }), draw("rect", { class: "part-good", x: 0, y: 2, width, height: 8, rx: 2 }));
}
