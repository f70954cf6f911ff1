// One pane: what a source holds, with the form to change it. Both panes of the
// page are this, over another source (source_tab.js, source_server.js):
//
//   page({ prefix, cursor, limit }) -> { entries, next }
//   keys({ prefix, max }) -> { entries, complete }, without values
//   get(key) -> { value, version, deadline } or null
//   getMany(keys) -> [{ key, value, version, deadline } or null, …]
//   set(key, value, { ttlSeconds, ifVersion, ifAbsent }) -> version
//   setMany([{ key, value, ttlSeconds }, …])
//   expire(key, ttlSeconds or undefined for ever) -> version
//   remove(key, { ifVersion }) -> whether it was there
//
// All return promises. Values are bytes; a deadline is in Unix milliseconds or
// null; an entry of a page is { key, version, size, deadline, value or null },
// and readOnly with the key in hex when the key is no text. set, expire and remove
// throw a ConflictError when their condition does not hold.

import { loginForm } from "./dom.js";
import { Editor } from "./editor.js";
import { History, changesBetween } from "./history.js";
import { EntryList } from "./list.js";
import { InputError, problemText, shortKey } from "./problems.js";
import { Transfer } from "./transfer.js";
import { KeyTree } from "./tree.js";
import { bytesOfText, editBytesMax, sizeText, ttlSecondsOf } from "./value.js";

const pageLength = 20;
const filterDelayMillis = 150;
const keysStep = 4000; // that the tree reads at first, and by each "read more"
const searchMax = 1000; // keys that a search finds beyond those

const filters = {
  tree: { label: "Show keys with", placeholder: "Search" },
  list: { label: "Show keys that begin with", placeholder: "Filter by prefix" },
};

const examples = [
  ["greeting", "Hello from ingot", {}],
  ["session:7f3a", '{"user":42,"role":"editor"}', { ttlSeconds: 120 }],
  ["visits", "1", {}],
];

export class Pane {
  #root;
  #source;
  #texts;
  #editor;
  #list;
  #tree;
  #history;
  #told; // whether the source's own changes are told by noticed()
  #mode = "tree"; // or "list"
  #keysMax = keysStep;
  #seen = null; // the latest reading of the keys
  #prefix = "";
  #cursors = [null]; // of the pages up to the one shown; the last is the one shown
  #next = null;
  #generation = 0; // of refreshes: an answer to an older question is dropped
  #filterTimer;

  /** Called with the key of an entry that is to be copied to the other pane. */
  onCopy = () => {};
  /** Called after the list was shown anew. */
  onShown = () => {};

  /**
   * texts: name, about, empty, copy(key), copied(key, version), twin: { same, differs },
   * and copyOpen, the words of the button. told says that noticed() is called with changes.
   */
  constructor(id, source, texts, { told = false } = {}) {
    const root = document.getElementById("pane-template").content.firstElementChild.cloneNode(true);
    root.id = id;
    this.#root = root;
    this.#source = source;
    this.#texts = texts;
    root.setAttribute("aria-labelledby", `${id}-title`);
    this.#part("h2").id = `${id}-title`;
    this.#part("h2").textContent = texts.name;
    this.#part(".about").textContent = texts.about;
    this.#part(".pager").setAttribute("aria-label", `Pages of ${texts.name}`);
    this.#list = new EntryList(this.#part(".entries"), texts);
    this.#tree = new KeyTree(this.#part(".tree"), this.#part(".tree-note"), texts.name);
    this.#history = new History(this.#part(".history"), texts.name);
    this.#told = told;
    this.#editor = new Editor(this.#part(".editor"));
    this.#part(".copy-open").textContent = texts.copyOpen ?? "";
    this.#part(".copy-open").hidden = !texts.copyOpen;
    const transfer = new Transfer(this.#part(".transfer"), source, id);
    transfer.onStored = () => this.act(async () => {});
    this.#setMode("tree");
    this.#listen();
  }

  get element() {
    return this.#root;
  }

  /** The entry that the list shows for a key, or undefined. */
  entry(key) {
    return this.#list.entry(key);
  }

  /** kind is starting, ready or lost. */
  setState(kind, text) {
    this.#root.dataset.state = kind;
    this.#part(".state-text").textContent = text;
  }

  /** Says that the source cannot be reached, or, with null, that it can. */
  setOutage(text) {
    const outage = this.#part(".outage");
    if (outage.textContent !== (text ?? "")) outage.textContent = text ?? "";
  }

  /** Replaces the form and the list by a text, where the source cannot run at all. */
  setUnusable(...nodes) {
    this.#part(".facts").remove();
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.append(...nodes);
    this.#part(".body").replaceChildren(notice);
  }

  /** Asks for a token in place of the form and the list. given(token) is called with what is entered. */
  lock(given) {
    if (this.locked) return;
    const form = loginForm(given);
    this.#part(".body").before(form);
    this.#part(".body").hidden = this.#part(".facts").hidden = true;
  }

  /** Takes lock back. */
  unlock() {
    this.#part(".login")?.remove();
    this.#part(".body").hidden = this.#part(".facts").hidden = false;
  }

  get locked() {
    return this.#part(".login") !== null;
  }

  /** facts: [[label, text], …]. */
  setFacts(facts) {
    const list = this.#part(".facts");
    while (list.children.length < facts.length) {
      const pair = document.createElement("div");
      pair.append(document.createElement("dt"), document.createElement("dd"));
      list.append(pair);
    }
    facts.forEach(([label, text], i) => {
      list.children[i].children[0].textContent = label;
      list.children[i].children[1].textContent = text;
      list.children[i].children[1].title = text; // a narrow pane may cut it
    });
  }

  /** Asks the source for what is shown and shows it. Its errors go to the caller. */
  async refresh() {
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    const seen = await this.#source.keys({ max: this.#keysMax });
    if (!current()) return;
    this.#note(seen);
    if (await (this.#mode === "tree" ? this.#showTree(seen, current) : this.#showPage(current))) this.onShown();
  }

  /** Takes a reading of the keys: what changed since the one before, and what is open. */
  #note(seen) {
    if (!this.#told && this.#seen !== null) this.#history.add(changesBetween(this.#seen, seen));
    this.#seen = seen;
    const key = this.#editor.openedKey;
    if (key === null) return;
    const entry = seen.entries.find((e) => e.key === key && !e.readOnly);
    if (entry || seen.complete) this.#editor.heard(entry ?? null);
  }

  async #showTree(seen, current) {
    let { entries } = seen;
    if (this.#prefix !== "" && !seen.complete) { // what was not read may begin with it
      const found = await this.#source.keys({ prefix: this.#prefix, max: searchMax });
      if (!current()) return false;
      const known = new Set(entries.map((e) => e.key));
      entries = entries.concat(found.entries.filter((e) => !known.has(e.key)));
    }
    this.#tree.show({ entries, complete: seen.complete });
    this.#tree.select(this.#editor.openedKey);
    this.#part(".tree").hidden = this.#tree.isEmpty;
    this.#part(".tree-note").hidden = entries.length === 0;
    this.#showNone(this.#tree.isEmpty);
    return true;
  }

  async #showPage(current) {
    const cursor = this.#cursors.at(-1);
    const { entries, next } = await this.#source.page({ prefix: this.#prefix, cursor, limit: pageLength });
    if (!current()) return false;
    if (entries.length === 0 && this.#cursors.length > 1) {
      this.#cursors.pop(); // the page's last entry is gone: the one before is the last page now
      return this.#showPage(current);
    }
    this.#next = next;
    this.#list.show(entries);
    this.#list.markOpened(this.#editor.openedKey);
    this.#showEnds(entries.length);
    return true;
  }

  /** Takes changes that the source told of, the oldest first. */
  noticed(changes) {
    this.#history.add(changes);
  }

  /** Brings the countdowns up to date. */
  tick() {
    this.#list.tick();
    this.#tree.tick();
    this.#editor.tick();
  }

  markTwins(other) {
    this.#list.markTwins(other);
  }

  /** Copies the entry of a key to another pane. What goes wrong there is told here, where it was asked for. */
  copyTo(other, key) {
    return this.act(async () => {
      const entry = await this.#source.get(key);
      if (!entry) return { note: `${shortKey(key)} is gone.` };
      const version = await other.#source.set(key, entry.value, { ttlSeconds: ttlSecondsOf(entry.deadline) });
      await other.refresh();
      return { note: this.#texts.copied(shortKey(key), version) };
    });
  }

  /**
   * Runs something that changes or reads the source, shows what became of it
   * and brings the list up to date. job returns { note, undo } or nothing.
   */
  async act(job) {
    this.#say("", null);
    try {
      const { note = "", undo } = (await job()) ?? {};
      this.#say(note, null, undo);
      await this.refresh();
    } catch (error) {
      this.#say("", error);
    }
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #listen() {
    const acts = {
      get: () => this.#open(this.#editor.key),
      set: () => this.#set(),
      time: () => this.#expire(this.#editor.ttlSeconds),
      forever: () => this.#expire(undefined),
      remove: () => this.#remove(this.#editor.entry),
    };
    this.#editor.onSubmit = (name) => (name === "copy" ? this.onCopy(this.#editor.entry.key) : this.act(acts[name]));
    this.#editor.onProblem = (problem) => this.#say("", problem);
    this.#list.onOpen = ({ key, size }) => this.act(() => this.#open(key, size));
    this.#list.onDelete = (entry) => this.act(() => this.#remove(entry));
    this.#list.onCopy = ({ key }) => this.onCopy(key);
    this.#tree.onOpen = this.#list.onOpen;
    this.#tree.onDelete = this.#list.onDelete;
    this.#tree.onMore = () => this.#turn(() => (this.#keysMax += keysStep));
    this.#history.onOpen = (key) => this.act(() => this.#open(key)).then(() => this.#tree.select(key, true));
    for (const button of this.#root.querySelectorAll(".switch button")) {
      button.addEventListener("click", () => this.#turn(() => this.#setMode(button.value)));
    }
    this.#part(".previous").addEventListener("click", () => this.#turn(() => this.#cursors.pop()));
    this.#part(".next").addEventListener("click", () => this.#turn(() => this.#forward()));
    this.#part(".empty button").addEventListener("click", () => this.act(() => this.#addExamples()));
    this.#part("[name=prefix]").addEventListener("input", (event) => {
      clearTimeout(this.#filterTimer);
      this.#filterTimer = setTimeout(() => this.#turn(() => {
        this.#prefix = event.target.value;
        this.#tree.search(this.#prefix);
        this.#cursors = [null];
      }), filterDelayMillis);
    });
  }

  /** Shows the entries as a tree of all, or as a list page by page. */
  #setMode(mode) {
    this.#mode = mode;
    for (const button of this.#root.querySelectorAll(".switch button")) button.setAttribute("aria-pressed", button.value === mode);
    this.#part(".filter span").textContent = filters[mode].label;
    this.#part("[name=prefix]").placeholder = filters[mode].placeholder;
    this.#part(".entries").hidden = mode === "tree";
    this.#part(".tree").hidden = this.#part(".tree-note").hidden = mode === "list";
    this.#part(".pager").hidden = true;
  }

  /** A second click before the page has come does nothing. */
  #forward() {
    if (this.#next !== null) this.#cursors.push(this.#next);
    this.#next = null;
  }

  #turn(change) {
    change();
    this.#list.turnPage();
    return this.act(async () => {});
  }

  async #open(key, size = 0) {
    const tooLong = (n) => new InputError(`${shortKey(key)} has ${sizeText(n)}. This page opens values of up to ${sizeText(editBytesMax)}.`);
    if (size > editBytesMax) throw tooLong(size);
    const entry = await this.#source.get(key);
    if (!entry) return { note: `There is no entry ${shortKey(key)}. Set makes one.` };
    if (entry.value.length > editBytesMax) throw tooLong(entry.value.length);
    this.#editor.load(key, entry);
    return { note: `${shortKey(key)} is open at version ${entry.version}.` };
  }

  async #set() {
    const { key, value, ttlSeconds, ifVersion } = this.#editor;
    const version = await this.#source.set(key, value, { ttlSeconds, ifVersion });
    this.#editor.opened(key, { version, size: value.length, deadline: deadlineIn(ttlSeconds) });
    return { note: `Set ${shortKey(key)}, version ${version}.` };
  }

  /** Gives the entry that is open another time to live, and leaves its value. */
  async #expire(ttlSeconds) {
    const { key, size } = this.#editor.entry;
    const version = await this.#source.expire(key, ttlSeconds);
    this.#editor.opened(key, { version, size, deadline: deadlineIn(ttlSeconds) });
    return { note: ttlSeconds === undefined ? `${shortKey(key)} stays for ever now.` : `${shortKey(key)} ends in ${ttlSeconds} s now.` };
  }

  /** Deletes the version that the list shows, and offers to put it back. */
  async #remove({ key, size, version }) {
    const before = size <= editBytesMax ? await this.#source.get(key) : null;
    const deleted = await this.#source.remove(key, { ifVersion: version });
    if (!deleted) return { note: `${shortKey(key)} was gone already.` };
    const undo = before && (() => this.act(async () => {
      await this.#source.set(key, before.value, { ttlSeconds: ttlSecondsOf(before.deadline), ifAbsent: true });
      return { note: `${shortKey(key)} is back.` };
    }));
    return { note: `Deleted ${shortKey(key)}.`, undo };
  }

  async #addExamples() {
    for (const [key, text, options] of examples) {
      await this.#source.set(key, bytesOfText(text), { ...options, ifAbsent: true });
    }
    return { note: "Added three examples; one of them expires in two minutes." };
  }

  #showEnds(count) {
    const page = this.#cursors.length;
    const first = (page - 1) * pageLength + 1;
    this.#showNone(count === 0);
    this.#part(".pager").hidden = page === 1 && !this.#next;
    this.#part(".previous").disabled = page === 1;
    this.#part(".next").disabled = !this.#next;
    this.#part(".range").textContent = `${first} to ${first + count - 1}`;
  }

  #showNone(none) {
    const searched = `“${shortKey(this.#prefix)}”`;
    this.#part(".empty").hidden = !none;
    this.#part(".empty p").textContent = this.#prefix === "" ? this.#texts.empty : this.#mode === "tree" ? `No key has ${searched} in it.` : `No key begins with ${searched}.`;
    this.#part(".empty button").hidden = this.#prefix !== "";
  }

  #say(note, error, undo) {
    const line = this.#part(".body > .note");
    line.replaceChildren(note);
    if (undo) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = "Undo";
      button.addEventListener("click", undo, { once: true });
      line.append(" ", button);
    }
    this.#part(".body > .problem").textContent = error ? problemText(error) : "";
  }
}

const deadlineIn = (seconds) => (seconds === undefined ? null : Date.now() + seconds * 1000);
