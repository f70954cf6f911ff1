// The entries of a pane. Rows are kept by key and changed in place, so that a
// refresh disturbs neither the focus nor the eye.

import { shortKey } from "./problems.js";
import { preview, sameBytes, sizeText, timeText } from "./value.js";

/** A server tells time in whole seconds: closer deadlines are taken for equal. */
const deadlineSlackMillis = 1500;
const urgentMillis = 10_000;

export class EntryList {
  #list;
  #template = document.getElementById("entry-template");
  #labels;
  #rows = new Map(); // by idOf(entry): { element, entry }
  #quiet = true; // the next rows are not marked as changed

  onOpen = () => {};
  onCopy = () => {};
  onDelete = () => {};

  /** labels: copy(key) and twin: { same, differs }, in this pane's words. */
  constructor(list, labels) {
    this.#list = list;
    this.#labels = labels;
  }

  /** The entry that is shown for a key, or undefined. */
  entry(key) {
    return this.#rows.get(key)?.entry;
  }

  /** After another page or filter was chosen, all rows are new but none has changed. */
  turnPage() {
    this.#quiet = true;
  }

  show(entries) {
    const kept = new Set(entries.map(idOf));
    for (const [id, row] of this.#rows) if (!kept.has(id)) this.#drop(id, row);
    let at = this.#list.firstElementChild;
    for (const entry of entries) {
      const row = this.#rows.get(idOf(entry)) ?? this.#make(entry);
      this.#fill(row, entry);
      if (row.element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(row.element, at);
    }
    this.#quiet = false;
    this.tick();
  }

  /** Brings the countdowns up to date. */
  tick() {
    const now = Date.now();
    for (const { element, entry } of this.#rows.values()) {
      const ttl = element.querySelector(".ttl");
      const left = entry.deadline === null ? null : entry.deadline - now;
      ttl.textContent = left === null ? "" : left > 0 ? `${timeText(left)} left` : "expired";
      ttl.classList.toggle("urgent", left !== null && left <= urgentMillis);
    }
  }

  /** Marks the row whose entry is in the editor. */
  markOpened(openedKey) {
    for (const [key, { element }] of this.#rows) {
      const open = element.querySelector(".open");
      if (key === openedKey) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    }
  }

  /** Says of each entry whether the other pane shows the same value; nothing where it cannot know. */
  markTwins(other) {
    for (const [key, { element, entry }] of this.#rows) {
      const twin = other.entry(key);
      const mark = element.querySelector(".twin");
      const known = twin?.value && entry.value;
      const same = known && sameBytes(twin.value, entry.value);
      mark.textContent = known ? (same ? this.#labels.twin.same : this.#labels.twin.differs) : "";
      mark.classList.toggle("differs", Boolean(known && !same));
    }
  }

  #make(entry) {
    const { key, readOnly = false } = entry;
    const element = this.#template.content.firstElementChild.cloneNode(true);
    const part = (name) => element.querySelector(name);
    const short = shortKey(key);
    part(".open").textContent = key;
    part(".copy").title = this.#labels.copy(short);
    part(".copy").setAttribute("aria-label", this.#labels.copy(short));
    part(".delete").title = `Delete ${short}`;
    part(".delete").setAttribute("aria-label", `Delete ${short}`);
    const row = { element, entry: null };
    part(".open").addEventListener("click", () => this.onOpen(row.entry));
    part(".copy").addEventListener("click", () => this.onCopy(row.entry));
    part(".delete").addEventListener("click", () => this.onDelete(row.entry));
    for (const button of element.querySelectorAll("button")) button.disabled = readOnly;
    element.addEventListener("animationend", () => element.classList.remove("changed"));
    this.#rows.set(idOf(entry), row);
    return row;
  }

  #fill(row, entry) {
    const { element, entry: before } = row;
    const unchanged = before?.version === entry.version;
    if (unchanged && before.deadline !== null && entry.deadline !== null &&
        Math.abs(before.deadline - entry.deadline) < deadlineSlackMillis) {
      entry.deadline = before.deadline;
    }
    row.entry = entry;
    const value = element.querySelector(".value");
    const shown = entry.value && preview(entry.value);
    value.classList.toggle("hex", Boolean(shown?.isHex));
    value.classList.toggle("absent", !shown || shown.text === "");
    value.textContent = shown ? shown.text || "empty" : entry.readOnly ? "a key that is not text, here in hex" : "a long value: open it to see it";
    element.querySelector(".size").textContent = sizeText(entry.size);
    element.querySelector(".version").textContent = `v${entry.version}`;
    if (!unchanged && !this.#quiet) element.classList.add("changed");
  }

  #drop(id, { element }) {
    this.#rows.delete(id);
    if (element.contains(document.activeElement)) {
      const neighbour = element.nextElementSibling ?? element.previousElementSibling;
      neighbour?.querySelector(".open").focus();
    }
    element.remove();
  }
}

/** A key in hex is no key, so it gets a mark that text cannot have: half of a surrogate pair. */
const idOf = ({ key, readOnly }) => (readOnly ? `\ud800${key}` : key);
