// Export and import of a pane's entries, as files of JSON lines (records.js).

import { make, save } from "./dom.js";
import { InputError, problemText, shortKey } from "./problems.js";
import { entriesOf, lineOf } from "./records.js";
import { countText, sizeText, ttlSecondsOf } from "./value.js";

const keysMax = 50_000; // of an export: it is made in the tab's memory
const bytesMax = 64 * 1024 * 1024; // of an export's values, and of a file that is read
const batchKeys = 500;
const batchBytes = 2 * 1024 * 1024;
const shownMax = 5; // entries of the preview

/** Neighbours in groups of so many entries and bytes at most; one alone may have more. */
function* batches(entries, sizeOf) {
  let batch = [];
  let bytes = 0;
  for (const entry of entries) {
    if (batch.length === batchKeys || (batch.length > 0 && bytes + sizeOf(entry) > batchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += sizeOf(entry);
  }
  if (batch.length > 0) yield batch;
}

export class Transfer {
  #root;
  #source;
  #name;
  #ready = []; // the entries of the file that is shown

  /** Called after entries were stored. */
  onStored = () => {};

  constructor(root, source, name) {
    this.#root = root;
    this.#source = source;
    this.#name = name;
    const acts = { export: () => this.#export(), import: () => this.#import() };
    root.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#attempt(acts[event.submitter?.name ?? "export"]);
    });
    this.#part("[name=file]").addEventListener("change", () => this.#attempt(() => this.#preview()));
    this.#offer([]);
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  async #attempt(act) {
    this.#part(".problem").textContent = "";
    this.#part(".note").textContent = "";
    try {
      this.#part(".note").textContent = await act();
    } catch (error) {
      this.#part(".problem").textContent = problemText(error);
    }
  }

  async #export() {
    const prefix = this.#part("[name=export-prefix]").value;
    const { entries, complete } = await this.#source.keys({ prefix, max: keysMax });
    const tooMuch = !complete || entries.reduce((sum, e) => sum + e.size, 0) > bytesMax;
    if (tooMuch) throw new InputError(`That is more than the ${countText(keysMax)} keys or ${sizeText(bytesMax)} that a page exports at once. Export a longer prefix, or use ingot state export.`);
    const lines = [];
    const readable = entries.filter((e) => !e.readOnly);
    for (const batch of batches(readable, (e) => e.size)) {
      const found = await this.#source.getMany(batch.map((e) => e.key));
      lines.push(...found.filter(Boolean).map(lineOf));
      this.#part(".note").textContent = `${countText(lines.length)} of ${countText(readable.length)} …`;
    }
    if (lines.length === 0) throw new InputError(prefix ? `No key begins with “${shortKey(prefix)}”.` : "There is nothing to export.");
    save(new Blob(lines, { type: "application/jsonl" }), `${this.#name}-entries.jsonl`);
    const left = entries.length - readable.length;
    return `Exported ${entriesText(lines.length)}.${left > 0 ? ` ${entriesText(left)} with a key that is not text ${left === 1 ? "was" : "were"} left out.` : ""}`;
  }

  /** Shows what a file would store, and what of that is there already. */
  async #preview() {
    this.#offer([]);
    const [file] = this.#part("[name=file]").files;
    if (!file) return "";
    if (file.size > bytesMax) throw new InputError(`${file.name} has ${sizeText(file.size)}, and a page reads ${sizeText(bytesMax)} at most. Use ingot state import.`);
    const { entries, expired } = entriesOf(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
    const textual = entries.filter((e) => typeof e.key === "string");
    let there = 0;
    for (const batch of batches(textual, (e) => e.key.length)) {
      there += (await this.#source.getMany(batch.map((e) => e.key))).filter(Boolean).length;
    }
    const left = [
      expired > 0 ? `${entriesText(expired)} left out, since the time is over` : "",
      textual.length < entries.length ? `${entriesText(entries.length - textual.length)} left out, since the key is not text` : "",
    ].filter(Boolean);
    this.#offer(textual, [`${textual.length - there} new`, `${there} replaced`, ...left].join(", "));
    return textual.length === 0 ? `${file.name} has no entry to store${left.length > 0 ? `: ${left.join(", ")}` : ""}.` : "";
  }

  #offer(entries, summary = "") {
    this.#ready = entries;
    const preview = this.#part(".preview");
    preview.hidden = entries.length === 0;
    preview.querySelector("p").textContent = `${entriesText(entries.length)}: ${summary}`;
    preview.querySelector("ul").replaceChildren(...entries.slice(0, shownMax).map((e) => make("li", { textContent: `${shortKey(e.key)} (${sizeText(e.value.length)})` })),
      ...(entries.length > shownMax ? [make("li", { textContent: `and ${countText(entries.length - shownMax)} more` })] : []));
    preview.querySelector("button").textContent = `Import ${entriesText(entries.length)}`;
  }

  async #import() {
    let stored = 0;
    try {
      for (const batch of batches(this.#ready, (e) => e.key.length + e.value.length)) {
        await this.#source.setMany(batch.map(({ key, value, deadline }) => ({ key, value, ttlSeconds: ttlSecondsOf(deadline) })));
        stored += batch.length;
        this.#part(".note").textContent = `${countText(stored)} of ${countText(this.#ready.length)} …`;
      }
    } catch (error) {
      throw new InputError(`${problemText(error)} ${entriesText(stored)} of the file ${stored === 1 ? "is" : "are"} stored, and the rest is not.`);
    } finally {
      this.onStored();
    }
    this.#offer([]);
    this.#part("[name=file]").value = "";
    return `Stored ${entriesText(stored)}.`;
  }
}

const entriesText = (n) => `${countText(n)} ${n === 1 ? "entry" : "entries"}`;
