// The benchmark of the Local view: the engine in this tab beside what browsers
// have, with values of 64 bytes, one after the other; of what is durable also 64 at once.

import { draw, make } from "./dom.js";
import { problemText } from "./problems.js";

const valueBytes = 64;
const keyCount = 1000;
const warmMillis = 100; // how long each runs before: a browser compiles what runs often anew
const sliceMillis = 200; // how long each is measured
const slowLeast = 64; // operations of what promises them, at least
const checkEvery = 16; // operations between two looks at the clock
const together = 64; // operations that share a sync or a transaction

const keyOf = (i) => `ingot-bench:${i % keyCount}`;

/**
 * Each makes { set(i), get(i), close() }; sets and gets of slow ones return promises.
 * Where `group` is given, an act does so many operations.
 */
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
  "ingot, durable": () => startDurable(1),
  "durable, 64 at once": () => startDurable(together),
  IndexedDB: () => startIndexed(1),
  "IndexedDB, 64 at once": () => startIndexed(together),
};

const each = (group, act) => Promise.all(Array.from({ length: group }, (_, i) => act(i)));

/** A store in a worker that keeps it in the private file system; a set is done when it is synced. */
async function startDurable(group) {
  const { openWorker } = await import("/js/index.js");
  const name = "ingot-bench";
  const store = await openWorker({ persist: "opfs", name });
  const value = new Uint8Array(valueBytes).fill(7);
  return {
    group,
    set: (at) => each(group, (i) => store.set(keyOf(at + i), value)),
    get: (at) => each(group, (i) => store.get(keyOf(at + i))),
    async close() {
      await store.close();
      const stores = await (await navigator.storage.getDirectory()).getDirectoryHandle("ingot-state");
      await stores.removeEntry(name, { recursive: true });
    },
  };
}

async function startIndexed(group) {
  const name = "ingot-bench";
  const db = await done(indexedDB.open(name), (request) => (request.onupgradeneeded = () => request.result.createObjectStore("s")));
  const value = new Uint8Array(valueBytes).fill(7);
  const run = (mode, act) => new Promise((resolve, reject) => {
    const transaction = db.transaction("s", mode, { durability: "strict" });
    const objects = transaction.objectStore("s");
    for (let i = 0; i < group; i++) act(objects, i);
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  return {
    group,
    set: (at) => run("readwrite", (s, i) => s.put(value, keyOf(at + i))),
    get: (at) => run("readonly", (s, i) => s.get(keyOf(at + i))),
    close: () => (db.close(), done(indexedDB.deleteDatabase(name))),
  };
}

function done(request, prepare) {
  prepare?.(request);
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Operations a second of an act, which does `group` of them: those that answer at once see every key. */
async function rate(act, group = 1) {
  const started = performance.now();
  let n = 0;
  let least = keyCount;
  for (;;) {
    for (let i = 0; i < Math.max(1, checkEvery / group); i++, n += group) {
      const pending = act(n);
      if (!pending?.then) continue;
      least = slowLeast;
      await pending;
    }
    const took = performance.now() - started;
    if (took >= sliceMillis && n >= least) return (n / took) * 1000;
  }
}

/** Operations a second of an act, once it has run for a while. */
async function warmRate(act, group = 1) {
  const until = performance.now() + warmMillis;
  for (let n = 0; performance.now() < until; n += group) await act(n % keyCount);
  return rate(act, group);
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
          const set = await warmRate(one.set, one.group); // of every key, where that is fast
          results.push({ name, set, get: await warmRate(one.get, one.group) });
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

/** Bars over a logarithmic scale from 10 to 100 million operations a second. */
function chart(results) {
  const [from, to, left, width, row] = [1, 8, 150, 380, 44];
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
