// The form of a pane: a key, a value as text, JSON or hex, a time to live, and, for
// an entry that was opened, what is known of it, what can be done with it, and the
// version it may be held to.

import { faultOf, faultText, pretty } from "./json.js";
import { InputError, shortKey } from "./problems.js";
import { bytesOfHex, bytesOfText, editable, hexOf, sizeText, textOf, timeText, ttlSecondsOf } from "./value.js";

const ttlSecondsMax = 100 * 365 * 24 * 3600; // the engine's own bound

export class Editor {
  #form;
  #key;
  #value;
  #ttl;
  #formats;
  #guard;
  #format = "text";
  #opened = null; // { key, version, size, deadline } of the entry in the form
  #now = null; // { version, deadline } of what is stored under its key by now; version 0 is nothing

  /** Called with the name of the button, such as "get" or "set", and with an InputError. */
  onSubmit = () => {};
  onProblem = () => {};

  constructor(form) {
    const named = (name) => form.elements.namedItem(name);
    this.#form = form;
    this.#key = named("key");
    this.#value = named("value");
    this.#ttl = named("ttl");
    this.#guard = named("guard");
    this.#formats = [...form.querySelectorAll(".format input")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.onSubmit(event.submitter?.name ?? "set");
    });
    this.#key.addEventListener("input", () => this.#showOpened());
    this.#value.addEventListener("input", () => this.#check());
    for (const button of form.querySelectorAll("[data-act]")) button.addEventListener("click", () => this.onSubmit(button.dataset.act));
    named("pretty").addEventListener("click", () => this.#pretty());
    named("mine").addEventListener("click", () => this.#keepMine());
    for (const radio of this.#formats) radio.addEventListener("change", () => this.#switchFormat(radio.value));
    // Enter in the key asks for the entry (the form's first button); from the
    // other fields it stores.
    const setOn = (field, wanted) => field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !wanted(event)) return;
      event.preventDefault();
      form.requestSubmit(named("set"));
    });
    setOn(this.#ttl, () => true);
    setOn(this.#value, (event) => event.ctrlKey || event.metaKey);
  }

  get key() {
    if (this.#key.value === "") throw new InputError("Type a key first.");
    return this.#key.value;
  }

  get value() {
    if (this.#format === "json") this.#refuseFault();
    return this.#format === "hex" ? bytesOfHex(this.#value.value) : bytesOfText(this.#value.value);
  }

  /** Whole seconds, or undefined for an entry that stays. */
  get ttlSeconds() {
    const text = this.#ttl.value.trim();
    if (text === "") return undefined;
    const seconds = Number(text);
    if (!/^\d+$/.test(text) || seconds < 1 || seconds > ttlSecondsMax) {
      throw new InputError("“Expires after” takes whole seconds from 1 on, or nothing for an entry that stays.");
    }
    return seconds;
  }

  /** The version that the stored entry must still have, or undefined. */
  get ifVersion() {
    return this.#guarded() && this.#guard.checked ? this.#opened.version : undefined;
  }

  get openedKey() {
    return this.#guarded() ? this.#opened.key : null;
  }

  /** The entry that is open: { key, version, size, deadline }, or null. */
  get entry() {
    return this.#guarded() ? this.#opened : null;
  }

  /** Puts an entry into the form. What is stored then is held to the version that is shown. */
  load(key, { value, version, deadline }) {
    const { format, text } = editable(value);
    this.#setFormat(format);
    this.#key.value = key;
    this.#value.value = text;
    this.#ttl.value = ttlSecondsOf(deadline) ?? "";
    this.#guard.checked = true;
    this.opened(key, { version, size: value.length, deadline });
    this.#check();
  }

  /** Notes that the form now shows this of the key. */
  opened(key, { version, size, deadline }) {
    this.#opened = { key, version, size, deadline };
    this.#now = null;
    this.#showOpened();
  }

  /** Hears what is stored under the key that is open: { version, deadline }, or null for nothing. */
  heard(entry) {
    if (!this.#guarded()) return;
    const version = entry?.version ?? 0;
    if (version === this.#opened.version) {
      this.#opened.deadline = entry.deadline;
      this.#now = null;
    } else if (version > this.#opened.version || version === 0) {
      this.#now = { version, deadline: entry?.deadline ?? null };
    }
    this.#showOpened();
  }

  /** Brings the countdown up to date. */
  tick() {
    if (this.#guarded()) this.#showFacts();
  }

  #guarded() {
    return this.#opened !== null && this.#opened.key === this.#key.value;
  }

  #part(selector) {
    return this.#form.querySelector(selector);
  }

  #showOpened() {
    const guarded = this.#guarded();
    const moved = guarded && this.#now !== null;
    this.#part(".opened").hidden = this.#part(".guard").hidden = !guarded;
    this.#part(".moved").hidden = !moved;
    if (!guarded) return;
    this.#showFacts();
    this.#part(".guard span").textContent = `Only if still version ${this.#opened.version}`;
    if (!moved) return;
    const { version } = this.#now;
    const text = version === 0
      ? `${shortKey(this.#opened.key)} is not there any more.`
      : `${shortKey(this.#opened.key)} is at version ${version} by now; here is what you make of version ${this.#opened.version}.`;
    if (this.#part(".moved p").textContent !== text) this.#part(".moved p").textContent = text; // it is read out
    this.#part(".moved [data-act]").hidden = version === 0;
  }

  #showFacts() {
    const { version, size, deadline } = this.#opened;
    const left = deadline === null ? null : deadline - Date.now();
    const time = left === null ? "stays for ever" : left > 0 ? `${timeText(left)} left` : "expired";
    this.#part(".opened p").textContent = `Open: version ${version}, ${sizeText(size)}, ${time}`;
    this.#form.elements.namedItem("forever").disabled = deadline === null;
  }

  /** The next write is held to what is there now, or to nothing when that is gone. */
  #keepMine() {
    if (this.#now.version === 0) this.#opened = null;
    else Object.assign(this.#opened, this.#now);
    this.#now = null;
    this.#showOpened();
    this.#value.focus();
  }

  /** Says what is wrong with a JSON text while it is typed. */
  #check() {
    const note = this.#part(".json-note");
    this.#part(".json-line").hidden = this.#format !== "json";
    if (this.#format !== "json") return;
    const fault = faultOf(this.#value.value);
    note.textContent = fault === null ? "Valid JSON." : faultText(fault);
    note.classList.toggle("bad", fault !== null);
    this.#form.elements.namedItem("pretty").disabled = fault !== null;
  }

  #refuseFault() {
    const fault = faultOf(this.#value.value);
    if (fault === null) return;
    this.#value.focus();
    this.#value.setSelectionRange(fault.at, Math.min(fault.at + 1, this.#value.value.length));
    throw new InputError(`This is not JSON, so nothing was changed. ${faultText(fault)}`);
  }

  #pretty() {
    this.#value.value = pretty(this.#value.value);
    this.#check();
  }

  #setFormat(format) {
    this.#format = format;
    for (const radio of this.#formats) radio.checked = radio.value === format;
    this.#value.classList.toggle("hex", format === "hex");
  }

  /** Shows the same bytes in another format, or says why that cannot be. */
  #switchFormat(format) {
    try {
      const bytes = this.#format === "hex" ? bytesOfHex(this.#value.value) : bytesOfText(this.#value.value);
      if (format !== "hex" && editable(bytes).format === "hex") {
        throw new InputError(textOf(bytes) === null
          ? "These bytes are not UTF-8 text, so they stay hex."
          : "This text has carriage returns, which a text field would change, so it stays hex.");
      }
      this.#value.value = format === "hex" ? hexOf(bytes) : textOf(bytes);
      this.#setFormat(format);
    } catch (problem) {
      this.#setFormat(this.#format);
      this.onProblem(problem);
    }
    this.#check();
  }
}
