// The form of a pane: a key, a value as text or hex, a time to live, and, for
// an entry that was opened, the version it may be held to.

import { InputError } from "./problems.js";
import { bytesOfHex, bytesOfText, editable, hexOf, textOf, ttlSecondsOf } from "./value.js";

const ttlSecondsMax = 100 * 365 * 24 * 3600; // the engine's own bound

export class Editor {
  #form;
  #key;
  #value;
  #ttl;
  #formats;
  #guard;
  #format = "text";
  #opened = null; // { key, version } of the entry in the form

  /** Called with "get" or "set" when the form is sent, and with an InputError. */
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
    this.#key.addEventListener("input", () => this.#showGuard());
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

  /** Puts an entry into the form. */
  load(key, { value, version, deadline }) {
    const { format, text } = editable(value);
    this.#setFormat(format);
    this.#key.value = key;
    this.#value.value = text;
    this.#ttl.value = ttlSecondsOf(deadline) ?? "";
    this.#guard.checked = false;
    this.opened(key, version);
  }

  /** Notes that the form now shows this version of the key. */
  opened(key, version) {
    this.#opened = { key, version };
    this.#showGuard();
  }

  #guarded() {
    return this.#opened !== null && this.#opened.key === this.#key.value;
  }

  #showGuard() {
    const label = this.#form.querySelector(".guard");
    label.hidden = !this.#guarded();
    if (!label.hidden) label.querySelector("span").textContent = `Only if still version ${this.#opened.version}`;
  }

  #setFormat(format) {
    this.#format = format;
    for (const radio of this.#formats) radio.checked = radio.value === format;
    this.#value.classList.toggle("hex", format === "hex");
  }

  /** Shows the same bytes in the other format, or says why that cannot be. */
  #switchFormat(format) {
    try {
      const bytes = this.value;
      if (format === "text" && editable(bytes).format === "hex") {
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
  }
}
