// The last changes of a source, newest first: those that an engine tells, or what two
// readings of the keys differ in.

import { make } from "./dom.js";
import { shortKey } from "./problems.js";
import { countText } from "./value.js";

const kept = 200;
const slackMillis = 2500; // a server tells time in whole seconds, and is asked now and then

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const words = { set: "set", delete: "deleted", expire: "expired", evict: "evicted", reset: "replaced", lagged: "missed" };

/**
 * The changes between two readings, as { kind, key, version } in the order of their
 * versions. Of readings that were cut off only the range that both have counts.
 */
export function changesBetween(before, now) {
  const end = [before, now].filter((r) => !r.complete).map((r) => r.entries.at(-1)?.key ?? "");
  const inBoth = ({ key, readOnly }) => !readOnly && end.every((last) => key <= last);
  const was = new Map(before.entries.filter(inBoth).map((e) => [e.key, e]));
  const changes = [];
  for (const { key, version } of now.entries.filter(inBoth)) {
    const old = was.get(key);
    was.delete(key);
    if (old !== undefined && old.version > version) return [{ kind: "reset" }]; // versions only grow: this is another state
    if (old?.version !== version) changes.push({ kind: "set", key, version });
  }
  changes.sort((a, b) => a.version - b.version);
  for (const { key, version, deadline } of was.values()) {
    const over = deadline !== null && deadline <= Date.now() + slackMillis;
    changes.push({ kind: over ? "expire" : "delete", key, version });
  }
  return changes;
}

export class History {
  #root;
  #list;
  #clear;
  #count = 0;

  /** Called with the key of a change that was clicked. */
  onOpen = () => {};

  constructor(root, name) {
    this.#root = root;
    this.#list = root.querySelector("ol");
    this.#list.setAttribute("aria-label", `Changes of ${name}, the latest first`);
    this.#clear = root.querySelector("button"); // the only one while there are no changes
    this.#clear.addEventListener("click", () => this.clear());
    this.#show();
  }

  /** Adds changes, the oldest first: { kind, key, version, lost }. */
  add(changes, at = new Date()) {
    if (changes.length === 0) return;
    this.#count += changes.length;
    this.#list.prepend(...changes.slice(-kept).reverse().map((change) => this.#row(change, at)));
    while (this.#list.childElementCount > kept) this.#list.lastElementChild.remove();
    this.#show();
  }

  clear() {
    this.#list.replaceChildren();
    this.#count = 0;
    this.#show();
  }

  #row({ kind, key, version, lost }, at) {
    const what = key === undefined
      ? make("span", { textContent: kind === "lagged" ? `${countText(lost)} changes came too fast` : "everything" })
      : make("button", { type: "button", className: "link", textContent: shortKey(key), title: key });
    if (key !== undefined) what.addEventListener("click", () => this.onOpen(key));
    return make("li", {}, make("time", { textContent: clock.format(at), dateTime: at.toISOString() }),
      make("span", { className: `kind-${kind}`, textContent: words[kind] ?? kind }), what,
      make("span", { className: "version", textContent: version ? `v${version}` : "" }));
  }

  #show() {
    this.#root.querySelector(".history-count").textContent = this.#count === 0 ? "none yet" : this.#count > kept ? `the last ${kept} of ${countText(this.#count)}` : countText(this.#count);
    this.#clear.hidden = this.#count === 0;
  }
}
