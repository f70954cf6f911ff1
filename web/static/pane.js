// One pane: what a source holds, with the form to change it. Both panes of the
// page are this, over another source (source_tab.js, source_server.js):
//
//   page({ prefix, cursor, limit }) -> { entries, next }
//   get(key) -> { value, version, deadline } or null
//   set(key, value, { ttlSeconds, ifVersion, ifAbsent }) -> version
//   remove(key, { ifVersion }) -> whether it was there
//
// All return promises. Values are bytes; a deadline is in Unix milliseconds or
// null; an entry of a page is { key, version, size, deadline, value or null },
// and readOnly with the key in hex when the key is no text. set and remove throw
// a ConflictError when their condition does not hold.

import { loginForm } from "./dom.js";
import { Editor } from "./editor.js";
import { EntryList } from "./list.js";
import { InputError, problemText, shortKey } from "./problems.js";
import { bytesOfText, editBytesMax, sizeText, ttlSecondsOf } from "./value.js";

const pageLength = 20;
const filterDelayMillis = 150;

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
  #prefix = "";
  #cursors = [null]; // of the pages up to the one shown; the last is the one shown
  #next = null;
  #generation = 0; // of refreshes: an answer to an older question is dropped
  #filterTimer;

  /** Called with the key of an entry that is to be copied to the other pane. */
  onCopy = () => {};
  /** Called after the list was shown anew. */
  onShown = () => {};

  /** texts: name, about, empty, copy(key), copied(key, version), twin: { same, differs }. */
  constructor(id, source, texts) {
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
    this.#editor = new Editor(this.#part(".editor"));
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

  /** Asks the source for the page that is shown and shows it. Its errors go to the caller. */
  async refresh() {
    const generation = ++this.#generation;
    const cursor = this.#cursors.at(-1);
    const { entries, next } = await this.#source.page({ prefix: this.#prefix, cursor, limit: pageLength });
    if (generation !== this.#generation) return;
    if (entries.length === 0 && this.#cursors.length > 1) {
      this.#cursors.pop(); // the page's last entry is gone: the one before is the last page now
      return this.refresh();
    }
    this.#next = next;
    this.#list.show(entries);
    this.#list.markOpened(this.#editor.openedKey);
    this.#showEnds(entries.length);
    this.onShown();
  }

  /** Brings the countdowns up to date. */
  tick() {
    this.#list.tick();
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
    const acts = { get: () => this.#open(this.#editor.key), set: () => this.#set() };
    this.#editor.onSubmit = (name) => this.act(acts[name]);
    this.#editor.onProblem = (problem) => this.#say("", problem);
    this.#list.onOpen = ({ key, size }) => this.act(() => this.#open(key, size));
    this.#list.onDelete = (entry) => this.act(() => this.#remove(entry));
    this.#list.onCopy = ({ key }) => this.onCopy(key);
    this.#part(".previous").addEventListener("click", () => this.#turn(() => this.#cursors.pop()));
    this.#part(".next").addEventListener("click", () => this.#turn(() => this.#forward()));
    this.#part(".empty button").addEventListener("click", () => this.act(() => this.#addExamples()));
    this.#part("[name=prefix]").addEventListener("input", (event) => {
      clearTimeout(this.#filterTimer);
      this.#filterTimer = setTimeout(() => this.#turn(() => {
        this.#prefix = event.target.value;
        this.#cursors = [null];
      }), filterDelayMillis);
    });
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
    this.#editor.opened(key, version);
    return { note: `Set ${shortKey(key)}, version ${version}.` };
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
    this.#part(".empty").hidden = count > 0;
    this.#part(".empty p").textContent = this.#prefix ? `No key begins with “${shortKey(this.#prefix)}”.` : this.#texts.empty;
    this.#part(".empty button").hidden = this.#prefix !== "";
    this.#part(".pager").hidden = page === 1 && !this.#next;
    this.#part(".previous").disabled = page === 1;
    this.#part(".next").disabled = !this.#next;
    this.#part(".range").textContent = `${first} to ${first + count - 1}`;
  }

  #say(note, error, undo) {
    const line = this.#part(".note");
    line.replaceChildren(note);
    if (undo) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = "Undo";
      button.addEventListener("click", undo, { once: true });
      line.append(" ", button);
    }
    this.#part(".problem").textContent = error ? problemText(error) : "";
  }
}
