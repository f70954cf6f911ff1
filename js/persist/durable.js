import { OPEN } from "../engine.js";
import { IngotError } from "../errors.js";

// The engine's numbers of its sync policies; see ingot_open_dir in docs/ABI.md. A
// group's sync is asked for from here, at the end of the turn.
const POLICIES = { always: 0, group: 2, interval: 2, never: 2 };
/** The names of the sync policies. */
export const SYNC_NAMES = Object.keys(POLICIES);

/** How long, in milliseconds, "interval" lets a write wait unless told otherwise. */
export const SYNC_INTERVAL_DEFAULT = 1000;
// How long a compaction may be put off after a write, and how long a piece of one
// waits for others to have the thread.
const WORK_MILLIS = 100;

/** policyNumber is the engine's number of a policy. */
export function policyNumber(sync) {
  return POLICIES[sync];
}

/**
 * Durable makes the writes of a store durable when its policy says so, and has the
 * engine compact: nothing in the engine runs between calls. `commit`, where a back
 * end has one, takes what the engine has synced to the disk and is asynchronous.
 */
export class Durable {
  #engine;
  #handle;
  #files;
  #sync;
  #interval;
  #release;
  #group = null; // those who wait for the next sync: { promise, resolve, reject }
  #due = null; // cancels the sync that is due
  #committing = Promise.resolve();
  #work = null;
  #unwritten = false;

  constructor(engine, handle, { files, sync, interval, release }) {
    this.#engine = engine;
    this.#handle = handle;
    this.#files = files;
    this.#sync = sync;
    this.#interval = interval;
    this.#release = release;
    this.#work = later(WORK_MILLIS, () => this.#workSoon());
  }

  /** Whether a write that is told of as done has to be durable. */
  get acknowledges() {
    return this.#sync === "always" || this.#sync === "group";
  }

  /** changed is called after each call that may have written. */
  changed() {
    this.#unwritten = true;
    if (this.#due === null) {
      if (this.#sync === "group") this.#due = atEndOfTurn(() => this.#syncGroup());
      else if (this.#sync === "interval") this.#due = later(this.#interval, () => this.#syncGroup(), true);
    }
    if (this.#work === null) this.#work = later(WORK_MILLIS, () => this.#workSoon());
  }

  /** flush resolves when all that was written before is durable. */
  flush() {
    if (!this.#unwritten && this.#group === null) return this.#committing;
    this.#group ??= Promise.withResolvers?.() ?? withResolvers();
    if (this.#sync !== "group" || this.#due === null) {
      this.#due?.();
      this.#due = atEndOfTurn(() => this.#syncGroup());
    }
    return this.#group.promise;
  }

  #syncGroup() {
    this.#due = null;
    const group = this.#group;
    this.#group = null;
    if (this.#engine.state !== OPEN) {
      group?.reject(new IngotError("ERR_CLOSED", "the store was closed, or has trapped, before the flush"));
      return;
    }
    this.#unwritten = false;
    let done;
    try {
      this.#engine.checked("ingot_flush", this.#handle);
      done = this.#commit();
    } catch (error) {
      this.#unwritten = true;
      this.#commit().catch(() => {}); // whether there is room again shows here only
      done = Promise.reject(error);
    }
    done.then(() => group?.resolve(), (error) => group?.reject(error)); // without a group the next write tells
    this.#files.refill?.();
  }

  // commit waits for the commit before: what came meanwhile goes with the next one.
  #commit() {
    if (this.#files.commit === undefined) return this.#committing;
    const done = this.#files.commit();
    this.#committing = done.catch(() => {
      this.#unwritten = true;
    });
    return done;
  }

  #workSoon() {
    this.#work = null;
    if (this.#engine.state !== OPEN) return;
    try {
      if (this.#workNow()) this.#work = later(0, () => this.#workSoon());
    } catch {
      // The engine has trapped: the next call of the store says so.
    }
  }

  #workNow() {
    const more = this.#engine.checked("ingot_work", this.#handle) === 1;
    this.#files.refill?.();
    return more;
  }

  /** compact rewrites the contents without the log. */
  async compact() {
    this.#engine.checked("ingot_compact", this.#handle);
    await this.#commit();
    this.#files.refill?.();
  }

  /** close ends the store and gives its files free, whatever fails. */
  async close() {
    this.#due?.();
    this.#work?.();
    const group = this.#group;
    this.#group = null;
    const healthy = this.#engine.state === OPEN;
    try {
      if (healthy) {
        this.#engine.checked("ingot_close", this.#handle);
        this.#engine.close();
        await this.#commit();
        group?.resolve();
      } else {
        group?.reject(new IngotError("ERR_POISONED", "the engine trapped before the flush"));
      }
    } catch (error) {
      group?.reject(error);
      throw error;
    } finally {
      this.#engine.close();
      await this.#release();
    }
  }
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...functions) => ([resolve, reject] = functions));
  return { promise, resolve, reject };
}

// atEndOfTurn runs a function when the events that are at hand are dealt with, and
// returns what cancels it. A browser's timers are too slow for that.
function atEndOfTurn(run) {
  if (typeof setImmediate === "function") {
    const handle = setImmediate(run);
    return () => clearImmediate(handle);
  }
  let wanted = true;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    if (wanted) run();
  };
  port2.postMessage(null);
  return () => (wanted = false);
}

// later does not keep a process of Node alive, unless something is lost otherwise.
function later(millis, run, keepsAlive = false) {
  const handle = setTimeout(run, millis);
  if (!keepsAlive) handle.unref?.();
  return () => clearTimeout(handle);
}
