// A store that several tabs have open at once. One worker owns it: it has the store's
// Web Lock and its files. The others follow: their calls go to the owner over a
// BroadcastChannel. All of them wait for the lock, so that one takes over when the
// owner is gone, however it went.
//
// Messages on the channel, each with the member that it comes `from`:
//
//	who                              who owns the store?
//	owner {persist, sync, version}   I do, from now on or still
//	private                          I do, and do not share it
//	calls {to, seq, id, calls}       the owner is asked; wire.js draws id and calls
//	answer {to, seq, answer}         and answers
//	bye {seen}                       the owner ends; by member, the last seq that it ran
//
// What had been sent to an owner that is gone without a bye was run or was not: calls
// that only look are sent again, the others fail with ERR_OWNER_CHANGED.

import { defaultEngine } from "../default-engine.js";
import { IngotError } from "../errors.js";
import { openStore } from "../open.js";
import { lockName } from "../persist/web-lock.js";
import { Host } from "./host.js";
import { SYNCED, WRITES, failureOf, idsOf, isRepeatable } from "./wire.js";

/** Member is a worker's part in a store that is shared. */
export class Member {
  #me = crypto.randomUUID();
  #options;
  #answer; // hands the page an answer
  #lock; // the name of the owner's lock; a member's own has its id behind it
  #channel;
  #opened = withResolvers();
  #ended = new AbortController();
  #failure = null; // why the store cannot be had at all

  #owner = null; // the announcement of whom calls go to, or null while nobody is known
  #stale = false; // whether the owner is gone, and no other has spoken yet
  #host = null; // the store, while it is mine
  #release = null; // gives the lock free
  #seen = {}; // by guest, the last message that I ran as the owner

  #seq = 0;
  #pending = new Map(); // messages of the page without an answer, by seq: { seq, id, calls, sent }
  #drained = null; // called when nothing is pending
  #watches = new Map(); // the page's watchers: options by id
  #resets = new Set(); // those that have not heard of a new owner
  #loose = false; // whether answered writes may not be durable yet
  #lost = false; // whether such went with an owner, and the page was not told

  constructor(options, answer) {
    this.#options = options;
    this.#answer = answer;
    this.#lock = lockName(options.name ?? "ingot");
    // Nothing is awaited before the listener is there: no announcement is missed.
    this.#channel = new BroadcastChannel(this.#lock);
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    this.#holdOwnLock();
    this.#waitForLock();
    this.#post("who");
  }

  /** opened resolves when there is an owner; it fails when I was to be it and cannot. */
  get opened() {
    return this.#opened.promise;
  }

  /** run takes a message of the page. */
  run({ id, calls }) {
    const [[method, watch]] = calls;
    if (method === "watchNext" && this.#resets.delete(watch)) {
      this.#answer({ id, results: [[this.#reset()]], failures: [] });
      return;
    }
    for (const call of calls) {
      if (call[0] === "watch") this.#watches.set(call[1], call[2]);
      if (call[0] === "unwatch") this.#watches.delete(call[1]);
    }
    this.#queue(id, calls);
  }

  /** close leaves the store when the calls before are answered: another takes over if it was mine. */
  async close() {
    if (this.#host === null && this.#failure === null) await this.#whenDrained();
    this.#ended.abort();
    try {
      await this.#resign();
    } finally {
      this.#channel.close();
    }
  }

  #post(type, fields) {
    this.#channel.postMessage({ type, from: this.#me, ...fields });
  }

  // The lock is mine until #release is called.
  #waitForLock() {
    const { signal } = this.#ended;
    navigator.locks.request(this.#lock, { signal }, () => new Promise((free) => {
      this.#release = free;
      this.#own();
    })).catch((error) => {
      if (!signal.aborted) this.#fail(new IngotError("ERR_STORAGE", `the store's lock cannot be taken: ${error.message}`, { cause: error }));
    });
  }

  // Whoever gets this lock knows that I am gone.
  #holdOwnLock() {
    const { signal } = this.#ended;
    navigator.locks.request(`${this.#lock}:${this.#me}`, () => new Promise((free) => signal.addEventListener("abort", free))).catch(() => {});
  }

  async #own() {
    try {
      const store = await openStore(this.#options, defaultEngine, true);
      this.#host = new Host(store, this.#options);
      if (this.#ended.signal.aborted) return await this.#resign();
      const { persist, sync = "group" } = this.#options;
      const announcement = { persist, sync, version: store.stats().version };
      this.#seen = {};
      this.#post("owner", announcement);
      this.#follow({ from: this.#me, ...announcement });
    } catch (error) {
      this.#release?.();
      this.#release = null;
      this.#fail(error);
    }
  }

  // resign gives the store up. What was run is answered before the others are told.
  async #resign() {
    const host = this.#host;
    if (host === null) return;
    this.#host = null;
    try {
      await host.close();
    } finally {
      this.#owner = null;
      this.#post("bye", { seen: this.#seen });
      this.#release();
      this.#release = null;
    }
  }

  // A store that has trapped is opened anew from its files, here or by another.
  async #restart() {
    try {
      await this.#resign();
    } catch {
      // It had trapped: its files say what there is.
    }
    this.#renew(Infinity);
    if (!this.#ended.signal.aborted) this.#waitForLock();
  }

  // fail answers all calls, those to come too, with an error.
  #fail(error) {
    this.#failure = error;
    this.#opened.reject(error);
    this.#renew(0);
  }

  #heard(message) {
    const { type, from, to } = message;
    if (type === "who" && this.#host !== null) this.#post("owner", { ...this.#owner, from: this.#me });
    else if (type === "owner") this.#follow(message);
    else if (type === "private") this.#opened.reject(new IngotError("ERR_LOCKED", "another tab or worker has the store open for itself, by open(): close it there, or use openWorker() everywhere"));
    else if (type === "calls" && to === this.#me) this.#runFor(message);
    else if (type === "answer" && to === this.#me && from === this.#owner?.from) this.#answered(message.seq, message.answer);
    else if (type === "bye" && from === this.#owner?.from) {
      this.#owner = null;
      this.#loose = false; // a store that is closed is durable
      this.#renew(message.seen[this.#me] ?? 0);
    }
  }

  #runFor({ from, seq, id, calls }) {
    if (this.#host === null) return; // the bye says so
    if (this.#seen[from] === undefined) {
      navigator.locks.request(`${this.#lock}:${from}`, () => {
        delete this.#seen[from];
        this.#host?.forget(from);
      }).catch(() => {});
    }
    this.#seen[from] = seq;
    this.#host.run(from, { id, calls }, (answer) => {
      this.#post("answer", { to: from, seq, answer });
      this.#lookAtHealth(answer);
    });
  }

  #follow(announcement) {
    const { from, persist } = announcement;
    if (this.#owner?.from === from) return;
    if (persist !== this.#options.persist) {
      this.#fail(new IngotError("ERR_OPTIONS", `another tab has the store open with persist ${JSON.stringify(persist)}: use the same here`));
      return;
    }
    if (this.#owner !== null) { // it is gone without a bye
      this.#lost ||= this.#loose;
      this.#loose = false;
      this.#renew(Infinity);
    }
    this.#owner = announcement;
    this.#stale = false;
    this.#opened.resolve();
    if (from !== this.#me) this.#attend(from);
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    if (this.#watches.size > 0) this.#queue(-1, [...this.#watches].map(([watch, options]) => ["watch", watch, options]));
    for (const { id, calls } of waiting) this.#queue(id, calls);
  }

  // attend keeps back what nobody would answer once the owner is gone.
  #attend(owner) {
    navigator.locks.request(`${this.#lock}:${owner}`, { signal: this.#ended.signal }, () => {
      if (this.#owner?.from === owner) this.#stale = true;
    }).catch(() => {}); // I am gone before it
  }

  // queue sends a message, or keeps it until there is an owner.
  #queue(id, calls) {
    const message = { seq: ++this.#seq, id, calls, sent: this.#owner !== null && !this.#stale };
    this.#pending.set(message.seq, message);
    if (this.#failure !== null) this.#renew(0);
    else if (message.sent && this.#owner.from !== this.#me) this.#post("calls", { to: this.#owner.from, seq: message.seq, id, calls });
    else if (message.sent) this.#host?.run(this.#me, { id, calls }, (answer, transfer) => {
      this.#answered(message.seq, answer, transfer);
      this.#lookAtHealth(answer);
    });
  }

  #answered(seq, answer, transfer) {
    const message = this.#pending.get(seq);
    if (message === undefined) return;
    this.#pending.delete(seq);
    const failed = new Set(answer.failures.map(([place]) => place));
    for (const [place, [method]] of message.calls.entries()) {
      if (failed.has(place)) continue;
      if (WRITES.has(method)) this.#loose = !SYNCED.has(this.#owner.sync);
      if (method === "flush") this.#flushed(answer, place);
    }
    if (message.id >= 0) this.#answer(answer, transfer);
    this.#drained?.();
  }

  // A flush by one owner says nothing of what another had in memory.
  #flushed(answer, place) {
    if (this.#lost) answer.failures.push([place, failureOf(ownerChanged("writes since the last flush may be lost"))]);
    this.#lost = false;
    this.#loose = false;
  }

  #lookAtHealth({ results, failures }) {
    const within = results.flatMap((result) => (result?.asked === undefined ? [] : result.failures));
    if (this.#host !== null && [...failures, ...within].some(([, { code }]) => code === "ERR_POISONED")) this.#restart();
  }

  // renew goes through what is pending when an owner is gone. Messages that were not
  // sent, or came behind the last one that it ran, stay as they are; of the others
  // nobody knows.
  #renew(ran) {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const id of this.#watches.keys()) this.#resets.add(id);
    for (const { seq, id, calls, sent } of waiting) {
      const known = !sent || seq > ran;
      if (id < 0) continue; // the next owner is told of the watchers anew
      if (known && this.#failure === null) this.#keep(id, calls);
      else this.#retry(id, calls);
    }
    this.#drained?.();
  }

  #keep(id, calls) {
    this.#pending.set(++this.#seq, { seq: this.#seq, id, calls, sent: false });
  }

  #retry(first, calls) {
    let id = first;
    for (const call of calls) {
      const [method, watch] = call;
      if (this.#failure !== null) this.#refuse(id, call, this.#failure);
      else if (method === "watchNext" && this.#resets.delete(watch)) this.#answer({ id, results: [[this.#reset()]], failures: [] });
      else if (isRepeatable(method)) this.#keep(id, [call]);
      else this.#refuse(id, call, ownerChanged("it may have taken effect or not: look, and do it again if need be"));
      id += idsOf(call);
    }
  }

  #refuse(id, call, error) {
    for (let i = 0; i < idsOf(call); i++) this.#answer({ id: id + i, results: [undefined], failures: [[0, failureOf(error)]] });
  }

  // reset is what a watcher is told that may have missed changes.
  #reset() {
    return { kind: "reset", version: this.#owner?.version ?? 0 };
  }

  // A watcher's wait is no call that is owed an answer.
  #whenDrained() {
    return new Promise((resolve) => {
      this.#drained = () => {
        if ([...this.#pending.values()].every(({ calls: [[method]] }) => method === "watchNext")) resolve();
      };
      this.#drained();
    });
  }
}

function ownerChanged(what) {
  return new IngotError("ERR_OWNER_CHANGED", `the tab that had the store is gone and another took over: ${what}`);
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...functions) => ([resolve, reject] = functions));
  promise.catch(() => {}); // who asks later is told
  return { promise, resolve, reject };
}
