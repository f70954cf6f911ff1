// The keys of a pane as a tree of prefixes. Its rows are a flat list with levels: only
// what is open has rows, and a refresh changes them in place.
// Source of roles and keys: WAI-ARIA Authoring Practices, tree view.

import { make } from "./dom.js";
import { countText, sizeText, timeText } from "./value.js";

const separators = /[/:.;]/g;
const rowsStep = 200; // children of a prefix that are shown at first, and by each "show more"
const urgentMillis = 10_000;
const hitsOpened = 200; // a search with at most so many hits opens all prefixes

/**
 * What lies directly below a prefix, of sorted entries from lo to hi that all begin
 * with it: leaves { entry, label } and groups { prefix, label, lo, hi }. A prefix with
 * one key is no group, and prefixes with nothing else in them are one.
 */
export function childrenOf(entries, lo, hi, prefix) {
  const children = [];
  for (let i = lo; i < hi; ) {
    const { key, readOnly } = entries[i];
    const rest = key.slice(prefix.length);
    const cut = readOnly ? -1 : rest.slice(0, -1).search(separators); // a separator at the end has nothing below it
    let end = i + 1;
    let group = prefix + rest.slice(0, cut + 1);
    if (cut >= 0) while (end < hi && !entries[end].readOnly && entries[end].key.startsWith(group)) end++;
    if (end === i + 1) {
      children.push({ entry: entries[i], label: readOnly ? key : rest });
    } else {
      group = sharedPrefix(key, entries[end - 1].key, group.length);
      children.push({ prefix: group, label: group.slice(prefix.length), lo: i, hi: end });
    }
    i = end;
  }
  return children;
}

/** What two keys share up to a separator behind which both go on; they share `length` characters at least. */
function sharedPrefix(a, b, length) {
  const most = Math.min(a.length, b.length) - 1;
  for (let i = length; i < most && a[i] === b[i]; i++) if (/[/:.;]/.test(a[i])) length = i + 1;
  return a.slice(0, length);
}

export class KeyTree {
  #list;
  #note;
  #rows = new Map(); // by id: { element, row }
  #shown = []; // the rows in their order
  #open = new Set(); // prefixes
  #limits = new Map(); // by prefix: how many children are shown
  #scan = { entries: [], complete: true };
  #search = "";
  #selected = null; // a key
  #focused = null; // the id of the row that the tabulator reaches
  #quiet = true;

  /** Called with an entry that is to be opened or deleted, and when more keys are to be read. */
  onOpen = () => {};
  onDelete = () => {};
  onMore = () => {};

  constructor(list, note, name) {
    this.#list = list;
    this.#note = note;
    list.setAttribute("aria-label", `Keys of ${name}`);
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("click", (event) => this.#click(event));
  }

  /** Shows what source.keys() gave. */
  show(scan) {
    this.#scan = scan;
    this.#render();
  }

  /** Shows only keys that have this in them. */
  search(text) {
    this.#search = text.toLowerCase();
    this.#limits.clear();
    this.#quiet = true;
    this.#render();
  }

  /** Marks the row of a key; with reveal, opens the prefixes above it. */
  select(key, reveal = false) {
    this.#selected = key;
    if (reveal && key !== null) {
      for (const { index } of key.matchAll(separators)) this.#open.add(key.slice(0, index + 1));
    }
    this.#render();
    if (reveal) this.#rows.get(`k${key}`)?.element.scrollIntoView({ block: "nearest" });
  }

  /** Brings the countdowns up to date. */
  tick() {
    const now = Date.now();
    for (const { element, row } of this.#rows.values()) {
      if (!row.entry) continue;
      const left = row.entry.deadline === null ? null : row.entry.deadline - now;
      const ttl = element.querySelector(".ttl");
      ttl.textContent = left === null ? "" : left > 0 ? `${timeText(left)} left` : "expired";
      ttl.classList.toggle("urgent", left !== null && left <= urgentMillis);
    }
  }

  get isEmpty() {
    return this.#shown.length === 0;
  }

  #render() {
    const { entries, complete } = this.#scan;
    const hits = this.#search === "" ? entries : entries.filter((e) => e.key.toLowerCase().includes(this.#search));
    const all = this.#search !== "" && hits.length <= hitsOpened;
    const rows = [];
    this.#collect(rows, hits, 0, hits.length, "", 1, all);
    if (!complete) rows.push({ id: "more", label: "Read more keys", level: 1, act: () => this.onMore() });
    this.#note.textContent = noteOf(hits.length, entries.length, complete, this.#search);
    this.#place(rows);
  }

  #collect(rows, entries, lo, hi, prefix, level, all) {
    const children = childrenOf(entries, lo, hi, prefix);
    const limit = this.#limits.get(prefix) ?? rowsStep;
    for (const child of children.slice(0, limit)) {
      if (child.entry) {
        rows.push({ ...child, id: `k${child.entry.readOnly ? "\ud800" : ""}${child.entry.key}`, level });
        continue;
      }
      const open = all || this.#isOpen(child.prefix);
      rows.push({ ...child, id: `p${child.prefix}`, level, open, count: child.hi - child.lo });
      if (open) this.#collect(rows, entries, child.lo, child.hi, child.prefix, level + 1, all);
    }
    const left = children.length - limit;
    if (left > 0) rows.push({ id: `m${prefix}`, label: `Show more: ${countText(left)} of ${countText(children.length)} are left`, level, act: () => this.#limits.set(prefix, limit + rowsStep) });
  }

  /** A prefix that keys have made longer or shorter meanwhile stays open. */
  #isOpen(prefix) {
    if (this.#open.has(prefix)) return true;
    for (const open of this.#open) if (open.startsWith(prefix)) return true;
    return false;
  }

  #place(rows) {
    const kept = new Set(rows.map((row) => row.id));
    if (!kept.has(this.#focused)) this.#leave(kept);
    for (const [id, { element }] of this.#rows) {
      if (kept.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
    let at = this.#list.firstElementChild;
    for (const row of rows) {
      const element = this.#fill(row);
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
    this.#shown = rows;
    this.#quiet = false;
    this.#focused ??= rows[0]?.id ?? null;
    for (const { element, row } of this.#rows.values()) element.tabIndex = row.id === this.#focused ? 0 : -1;
    this.tick();
  }

  /** The focused row goes: the one above that stays gets what it had. */
  #leave(kept) {
    const had = this.#rows.get(this.#focused)?.element === document.activeElement;
    const place = this.#shown.findIndex((row) => row.id === this.#focused);
    const near = [...this.#shown.slice(0, Math.max(place, 0)).reverse(), ...this.#shown.slice(place + 1)].find((row) => kept.has(row.id));
    this.#focused = near?.id ?? null;
    if (had && near) this.#rows.get(near.id).element.focus();
  }

  #fill(row) {
    const known = this.#rows.get(row.id);
    const element = known?.element ?? this.#make(row);
    const changed = row.entry && known?.row.entry?.version !== row.entry.version;
    this.#rows.set(row.id, { element, row });
    element.setAttribute("aria-level", row.level);
    element.style.setProperty("--level", row.level);
    element.querySelector(".branch-label").textContent = row.label;
    if (row.prefix !== undefined) {
      element.setAttribute("aria-expanded", row.open);
      element.querySelector(".count").textContent = countText(row.count);
    }
    if (row.entry) {
      element.setAttribute("aria-selected", row.entry.key === this.#selected);
      element.querySelector(".size").textContent = sizeText(row.entry.size);
      element.querySelector(".version").textContent = `v${row.entry.version}`;
      if (changed && !this.#quiet) element.classList.add("changed");
    }
    return element;
  }

  #make(row) {
    const element = make("li", { className: row.entry ? "branch leaf" : row.act ? "branch act" : "branch", role: "treeitem", tabIndex: -1 },
      make("span", { className: "branch-label" }),
      row.prefix === undefined ? null : make("span", { className: "count" }),
      row.entry ? make("span", { className: "meta" }, ...["ttl", "size", "version"].map((className) => make("span", { className }))) : null);
    element.dataset.id = row.id;
    element.addEventListener("animationend", () => element.classList.remove("changed"));
    return element;
  }

  #click(event) {
    const id = event.target.closest(".branch")?.dataset.id;
    if (id === undefined) return;
    this.#focus(id);
    this.#act(this.#rows.get(id).row);
  }

  #act(row) {
    if (row.entry) {
      if (!row.entry.readOnly) this.onOpen(row.entry);
      return;
    }
    if (row.act) row.act();
    else this.#toggle(row, !row.open);
    this.#render();
  }

  #toggle({ prefix }, open) {
    if (open) this.#open.add(prefix);
    else for (const other of [...this.#open]) if (other.startsWith(prefix)) this.#open.delete(other);
    this.#quiet = true; // rows that come into sight have not changed
    this.#render();
  }

  #focus(id) {
    if (!this.#rows.has(id)) return;
    for (const [other, { element }] of this.#rows) element.tabIndex = other === id ? 0 : -1;
    this.#focused = id;
    this.#rows.get(id).element.focus();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = this.#shown.findIndex((row) => row.id === this.#focused);
    const row = this.#shown[at];
    if (!row) return;
    const go = (place) => this.#focus(this.#shown[Math.min(Math.max(place, 0), this.#shown.length - 1)].id);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(this.#shown.length - 1),
      ArrowRight: () => row.prefix !== undefined && (row.open ? go(at + 1) : this.#toggle(row, true)),
      ArrowLeft: () => (row.open ? this.#toggle(row, false) : go(this.#parent(at))),
      Enter: () => this.#act(row),
      " ": () => this.#act(row),
      Delete: () => row.entry && !row.entry.readOnly && this.onDelete(row.entry),
    };
    if (keys[event.key]) keys[event.key]();
    else if (event.key.length === 1) this.#jump(at, event.key.toLowerCase());
    else return;
    event.preventDefault();
  }

  #parent(at) {
    for (let i = at - 1; i >= 0; i--) if (this.#shown[i].level < this.#shown[at].level) return i;
    return at;
  }

  /** To the next row that begins with a character. */
  #jump(at, character) {
    const order = [...this.#shown.slice(at + 1), ...this.#shown.slice(0, at + 1)];
    const next = order.find((row) => row.label.toLowerCase().startsWith(character));
    if (next) this.#focus(next.id);
  }
}

function noteOf(hits, all, complete, search) {
  const keys = (n) => `${countText(n)} ${n === 1 ? "key" : "keys"}`;
  const among = complete ? keys(all) : `the first ${keys(all)}`;
  if (search !== "") return `${countText(hits)} of ${among}`;
  return complete ? keys(all) : `The first ${keys(all)}; there are more`;
}
