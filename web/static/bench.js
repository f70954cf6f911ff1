// The benchmark of the Local view: the engine in this tab beside what browsers
// have, with values of 64 bytes, one after the other.

import { draw, make } from "./dom.js";
import { problemText } from "./problems.js";

const valueBytes = 64;
const keyCount = 1000;
const sliceMillis = 200; // how long each is measured
const checkEvery = 16; // operations between two looks at the clock

const keyOf = (i) => `ingot-bench:${i % keyCount}`;

/** Each makes { set(i), get(i), close() }; sets and gets of slow ones return promises. */
const contenders = {
  "ingot, in memory": async () => {
    const { open } = await import("/js/index.js");
    const store = await open({ persist: false });
    const value = new Uint8Array(valueBytes).fill(7);
    return { set: (i) => store.set(keyOf(i), value), get: (i) => store.get(keyOf(i)), close: () => store.close() };
  },
  "Map, with copies": async () => {
    const map = new Map();
    const value = new Uint8Array(valueBytes).fill(7);
    return { set: (i) => map.set(keyOf(i), value.slice()), get: (i) => map.get(keyOf(i)).slice(), close() {} };
  },
  localStorage: async () => {
    const value = "7".repeat(valueBytes);
    return {
      set: (i) => localStorage.setItem(keyOf(i), value),
      get: (i) => localStorage.getItem(keyOf(i)),
      close: () => Array.from({ length: keyCount }, (_, i) => localStorage.removeItem(keyOf(i))),
    };
  },
  IndexedDB: async () => {
    const name = "ingot-bench";
    const db = await done(indexedDB.open(name), (request) => (request.onupgradeneeded = () => request.result.createObjectStore("s")));
    const value = new Uint8Array(valueBytes).fill(7);
    const run = (mode, act) => done(act(db.transaction("s", mode).objectStore("s")));
    return {
      set: (i) => run("readwrite", (s) => s.put(value, keyOf(i))),
      get: (i) => run("readonly", (s) => s.get(keyOf(i))),
      close: () => (db.close(), done(indexedDB.deleteDatabase(name))),
    };
  },
};

function done(request, prepare) {
  prepare?.(request);
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Operations a second of one act. */
async function rate(act) {
  const started = performance.now();
  let n = 0;
  for (;;) {
    for (let i = 0; i < checkEvery; i++, n++) {
      const pending = act(n);
      if (pending?.then) await pending;
    }
    const took = performance.now() - started;
    if (took >= sliceMillis && n >= keyCount / 4) return (n / took) * 1000;
  }
}

/** Wires the part of the page. */
export function offerBenchmark(root) {
  const [button, note, figure] = ["button", ".note", "figure"].map((s) => root.querySelector(s));
  button.addEventListener("click", async () => {
    button.disabled = true;
    const results = [];
    for (const [name, start] of Object.entries(contenders)) {
      note.textContent = `Measuring ${name} …`;
      await new Promise((resolve) => setTimeout(resolve)); // the page shows that before the thread is busy
      try {
        const one = await start();
        try {
          const set = await rate(one.set);
          results.push({ name, set, get: await rate(one.get) });
        } finally {
          await one.close();
        }
      } catch (error) {
        results.push({ name, problem: problemText(error) });
      }
      figure.replaceChildren(chart(results), table(results));
    }
    note.textContent = "Done. Longer bars are faster; each line of the scale is a hundred times the one before.";
    button.disabled = false;
  });
}

const countText = (perSecond) => (perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(1)} M` : perSecond >= 1e3 ? `${(perSecond / 1e3).toFixed(perSecond < 1e4 ? 1 : 0)} k` : perSecond.toFixed(0));

/** Bars over a logarithmic scale from 100 to 100 million operations a second. */
function chart(results) {
  const [from, to, left, width, row] = [2, 8, 118, 340, 44];
  const x = (perSecond) => left + (Math.min(Math.max(Math.log10(perSecond), from), to) - from) * ((width - left) / (to - from));
  const height = results.length * row + 22;
  const label = results.filter((r) => !r.problem).map((r) => `${r.name}: ${countText(r.set)} sets and ${countText(r.get)} gets a second`).join("; ");
  const svg = draw("svg", { viewBox: `0 0 ${width + 50} ${height}`, role: "img", "aria-label": label, class: "bench-chart" });
  for (let power = from; power <= to; power += 2) {
    const at = x(10 ** power);
    svg.append(draw("line", { class: "base", x1: at, x2: at, y1: 0, y2: height - 16 }), draw("text", { class: "tick", x: at, y: height - 4, "text-anchor": "middle" }, countText(10 ** power)));
  }
  results.forEach(({ name, set, get, problem }, i) => {
    const y = i * row + 4;
    svg.append(draw("text", { class: "who", x: left - 8, y: y + 20, "text-anchor": "end" }, name));
    if (problem) return svg.append(draw("text", { class: "tick", x: left + 4, y: y + 20 }, "could not be measured"));
    [["set", set, "bar-set"], ["get", get, "bar-get"]].forEach(([act, n, kind], j) => {
      const top = y + j * 17;
      svg.append(draw("rect", { class: kind, x: left, y: top, width: x(n) - left, height: 14, rx: 2 }), draw("text", { class: "figure", x: x(n) + 4, y: top + 11 }, `${act} ${countText(n)}`));
    });
  });
  return svg;
}

const table = (results) => make("table", { className: "hidden" }, make("caption", { textContent: "Operations a second" }),
  make("tbody", {}, ...results.map((r) => make("tr", {}, make("th", { scope: "row", textContent: r.name }),
    ...(r.problem ? [make("td", { colSpan: 2, textContent: r.problem })] : [make("td", { textContent: `set ${countText(r.set)}` }), make("td", { textContent: `get ${countText(r.get)}` })])))));
