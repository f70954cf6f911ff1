// The Local view's store that stays: kept by the browser, shared by the tabs that have
// it open. One of them owns the files, the others follow it, and when it goes another
// takes over; the Web Locks of the npm package tell which.

import { make, save } from "./dom.js";
import { Pane } from "./pane.js";
import { problemText } from "./problems.js";
import { StoreSource, watchStore } from "./source_store.js";
import { countText, sizeText } from "./value.js";

const tickMillis = 1000;
const bytesMax = 256 * 1024 * 1024;
const nameDefault = "page";
const lockTries = 100;
const lockMillis = 20;
const storages = { opfs: "OPFS", idb: "IndexedDB" };
const roles = {
  owner: "Owner: this tab has the files",
  follower: "Follower: another tab has the files, and this one asks it",
  waiting: "Waiting: the tab that had the files is gone, and one takes over",
};

const texts = (name) => ({
  name: `Kept as “${name}”`,
  about: "The same engine in a worker, with its log in the browser's storage. It is there again after the tab, and the browser, were closed.",
  empty: "This store holds nothing yet. Set a key above, or start with some examples.",
  twin: { same: "", differs: "" },
  copy: (key) => `Copy ${key}`,
});

/** The store of a name, opened in a worker: in the private file system, or in IndexedDB where there is none. */
async function openStore(name) {
  if (!isSecureContext || !navigator.locks) throw new Error("A browser keeps stores for pages of this machine and over HTTPS only, and this is neither.");
  const { openWorker } = await import("/js/index.js");
  const { lockName } = await import("/js/persist/web-lock.js");
  const lock = lockName(name);
  // One tab of this page at a time opens: whoever is new among the members then is its own.
  return navigator.locks.request(`ingot-page:${name}`, async () => {
    const before = new Set((await membersOf(lock)).members);
    const { store, persist } = await openIn(openWorker, name, ["opfs", "idb"]);
    let me;
    for (let i = 0; i < lockTries && me === undefined; i++) {
      me = (await membersOf(lock)).members.find((id) => !before.has(id));
      if (me === undefined) await new Promise((resolve) => setTimeout(resolve, lockMillis));
    }
    return { store, persist, standing: async () => standingOf(me, await membersOf(lock)) };
  });
}

async function openIn(openWorker, name, [persist, ...rest]) {
  try {
    return { store: await openWorker({ name, persist, maxBytes: bytesMax }), persist };
  } catch (error) {
    if (error.code !== "ERR_PERSIST_UNSUPPORTED" || rest.length === 0) throw error;
    return openIn(openWorker, name, rest);
  }
}

/** Who has a store open, as ids of their workers, and which of them owns it. */
async function membersOf(lock) {
  const { held } = await navigator.locks.query();
  return {
    members: held.filter((l) => l.name.startsWith(`${lock}:`)).map((l) => l.clientId),
    owner: held.find((l) => l.name === lock)?.clientId,
  };
}

const standingOf = (me, { members, owner }) => ({ role: owner === undefined ? "waiting" : owner === me ? "owner" : "follower", tabs: members.length });

export class KeptStore {
  #root;
  #views;
  #open = null; // { name, store, persist, standing, pane, timer }
  #turn = Promise.resolve(); // one opening or closing at a time
  #role = null;

  constructor(root, views) {
    this.#root = root;
    this.#views = views;
    const form = this.#part("form");
    form.elements.name.value = nameDefault;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      location.hash = `#local/${encodeURIComponent(form.elements.name.value.trim() || nameDefault)}`;
    });
    const acts = { close: () => (location.hash = "#local"), flush: () => this.#flush(), compact: () => this.#compact(), download: () => this.#download(), replace: () => this.#restore() };
    for (const [name, act] of Object.entries(acts)) this.#part(`[name=${name}]`).addEventListener("click", () => this.#attempt(act));
    this.#part("[name=snapshot]").addEventListener("change", () => this.#attempt(() => this.#offerRestore()));
    views.addEventListener("change", () => this.#follow());
    this.#follow();
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  /** Opens what the address names; leaves what it no longer does. Other views leave it open. */
  #follow() {
    if (this.#views.current !== "local") return;
    const name = this.#views.opened;
    this.#turn = this.#turn.then(() => this.#attempt(() => this.#become(name)));
  }

  async #become(name) {
    if ((this.#open?.name ?? "") === name) return;
    if (this.#open) await this.#leave();
    if (name === "") return;
    this.#part("form").elements.name.value = name;
    this.#say("Opening …");
    try {
      this.#enter(name, await openStore(name));
    } finally {
      this.#say("");
    }
  }

  #enter(name, opened) {
    const pane = new Pane("kept-store", new StoreSource(opened.store), texts(name), { told: true });
    pane.element.dataset.copy = "none";
    this.#part(".kept-pane").replaceChildren(pane.element);
    this.#open = { name, ...opened, pane, timer: setInterval(() => this.#tick(), tickMillis) };
    this.#root.dataset.open = "true";
    this.#role = null;
    pane.setState("ready", "open");
    watchStore(opened.store, (changes) => {
      pane.noticed(changes);
      this.#show();
    }).catch((error) => this.#fail(error));
    return this.#show();
  }

  async #leave() {
    const { store, timer } = this.#open;
    this.#open = null;
    clearInterval(timer);
    this.#root.dataset.open = "false";
    this.#part(".kept-pane").replaceChildren();
    await store.close();
  }

  /** Frees what has expired, and looks who owns the store. */
  async #tick() {
    const { store, pane } = this.#open;
    pane.tick();
    store.tick().catch((error) => this.#fail(error));
    await this.#look();
  }

  async #show() {
    if (!this.#open) return;
    try {
      await this.#open.pane.refresh();
      await this.#look();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What is known of the store, from its owner, and who that is. */
  async #look() {
    const open = this.#open;
    try {
      const [standing, stats, log] = await Promise.all([open.standing(), open.store.stats(), open.store.logStats()]);
      if (open !== this.#open) return;
      this.#showRole(standing);
      this.#facts([
        ["Tabs", countText(standing.tabs)],
        ["Keys", countText(stats.keys)],
        ["In memory", `${sizeText(stats.bytes)} of ${sizeText(bytesMax)}`],
        ["Kept in", storages[open.persist]],
        ["Log", `${sizeText(log.logBytes)} in ${countText(log.segments)} ${log.segments === 1 ? "file" : "files"}`],
        ["Snapshot", log.snapshotBytes === 0 ? "none" : sizeText(log.snapshotBytes)],
        ["Syncs", countText(log.syncs)],
        ["Compactions", countText(log.compactions)],
      ]);
      open.pane.setOutage(log.state === "ok" ? null : `Writes are refused: ${log.problem}`);
    } catch (error) {
      if (open === this.#open) this.#fail(error);
    }
  }

  #showRole({ role }) {
    if (role === this.#role) return;
    const element = this.#part(".role");
    element.textContent = roles[role];
    this.#root.dataset.role = role;
    if (role === "owner" && this.#role !== null) this.#say("The tab that had the files is gone: this one has taken over.");
    this.#role = role;
  }

  #facts(facts) {
    this.#part(".facts").replaceChildren(...facts.map(([label, text]) => make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: text, title: text }))));
  }

  #fail(error) {
    if (!this.#open || error.code === "ERR_OWNER_CHANGED") return; // the next look asks the new owner
    this.#open.pane.setState("lost", "trouble");
    this.#open.pane.setOutage(problemText(error));
  }

  #say(text) {
    this.#part(".kept-note").textContent = text;
  }

  async #attempt(act) {
    this.#part(".kept-problem").textContent = "";
    try {
      await act();
    } catch (error) {
      this.#part(".kept-problem").textContent = problemText(error);
    }
  }

  async #flush() {
    await this.#open.store.flush();
    this.#say("All is durable.");
    await this.#look();
  }

  async #compact() {
    await this.#open.store.compact();
    this.#say("The log is compacted into a snapshot.");
    await this.#look();
  }

  async #download() {
    const bytes = await this.#open.store.snapshot();
    save(new Blob([bytes], { type: "application/octet-stream" }), `${this.#open.name}.ingot-snapshot`);
    this.#say(`A snapshot of ${sizeText(bytes.length)}, which every build of ingot opens.`);
  }

  async #offerRestore() {
    const [file] = this.#part("[name=snapshot]").files;
    const button = this.#part("[name=replace]");
    button.hidden = !file;
    if (!file) return;
    const { keys } = await this.#open.store.stats();
    button.textContent = `Replace ${countText(keys)} ${keys === 1 ? "key" : "keys"} by ${file.name}`;
  }

  async #restore() {
    const input = this.#part("[name=snapshot]");
    await this.#open.store.restore(new Uint8Array(await input.files[0].arrayBuffer()));
    input.value = "";
    this.#part("[name=replace]").hidden = true;
    this.#say("The store is what the snapshot holds.");
    await this.#show();
  }
}
