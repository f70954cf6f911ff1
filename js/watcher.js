import { OPEN } from "./engine.js";
import { flag, refuseUnknown, wantsBytes, wholeNumber } from "./options.js";

const WATCH_OPTIONS = new Set(["prefix", "buffer", "values", "keyType"]);
const KINDS = ["none", "set", "delete", "expire", "reset", "lagged", "evict"];
const HEAD_BYTES = 32;
const COUNT_MAX = 0x7fffffff;
const ITERATOR_EVENTS = 256;

/**
 * Watcher hands out the changes under a prefix, by poll() or as an async
 * iterator. Store.watch makes one.
 */
export class Watcher {
  #engine;
  #handle;
  #asBytes;
  #values;
  #waiting; // the store's set of watchers that somebody awaits
  #held = []; // taken from the engine and not handed out yet, the oldest last
  #resolves = [];
  #closed = false;

  /** @internal */
  constructor(engine, store, options, waiting) {
    refuseUnknown(options, WATCH_OPTIONS, "watch");
    this.#asBytes = wantsBytes(options.keyType);
    this.#values = flag("values", options.values);
    const buffer = wholeNumber("buffer", options.buffer ?? 0, COUNT_MAX);
    const prefixBytes = engine.keyAt(options.prefix ?? "", 0, "a prefix");
    this.#handle = engine.checked("ingot_watch", store, prefixBytes, buffer, this.#values ? 1 : 0);
    this.#engine = engine;
    this.#waiting = waiting;
  }

  poll(max) {
    const limit = max === undefined ? COUNT_MAX : wholeNumber("max", max, COUNT_MAX);
    const events = [];
    while (events.length < limit) {
      if (this.#held.length === 0 && !this.#fill(limit - events.length)) break;
      // A key that is no text must not cost the events before it.
      let event;
      try {
        event = this.#shown(this.#held.at(-1));
      } catch (error) {
        if (events.length > 0) break;
        this.#held.pop();
        throw error;
      }
      this.#held.pop();
      events.push(event);
    }
    return events;
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#engine.state === OPEN) this.#engine.checked("ingot_unwatch", this.#handle);
    this.wake();
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        if (this.#over()) return;
        const events = this.poll(ITERATOR_EVENTS);
        if (events.length > 0) {
          yield* events;
        } else {
          await new Promise((resolve) => {
            this.#resolves.push(resolve);
            this.#waiting.add(this);
          });
        }
      }
    } finally {
      this.close();
    }
  }

  /** @internal wake lets those who await an event look again. */
  wake() {
    this.#waiting.delete(this);
    for (const resolve of this.#resolves.splice(0)) resolve();
  }

  // A closed watcher ends its iterator; a poisoned engine is an error that poll
  // tells.
  #over() {
    return this.#held.length === 0 && (this.#closed || this.#engine.closed);
  }

  // fill takes events from the engine and reports whether there were any.
  #fill(limit) {
    if (this.#closed) return false;
    const engine = this.#engine;
    if (engine.state !== OPEN) engine.refuse();
    const size = engine.checked("ingot_poll", this.#handle, limit);
    let at = engine.replyAt(0, size);
    const count = engine.u32At(at);
    at += 4;
    for (let i = 0; i < count; i++) {
      const event = this.#read(at);
      at += HEAD_BYTES + event.keyBytes.length + event.valueBytes;
      this.#held.push(event);
    }
    engine.trim();
    this.#held.reverse();
    return count > 0;
  }

  #read(at) {
    const engine = this.#engine;
    const keyEnd = at + HEAD_BYTES + engine.u32At(at + 8);
    const valueBytes = engine.u32At(at + 12);
    const kind = KINDS[engine.u32At(at)];
    return {
      kind,
      lost: engine.u32At(at + 4),
      version: engine.u64At(at + 16, "a version"),
      expiresAt: engine.u64At(at + 24, "a time"),
      keyBytes: engine.u8.slice(at + HEAD_BYTES, keyEnd),
      value: this.#values && kind === "set" ? engine.u8.slice(keyEnd, keyEnd + valueBytes) : undefined,
      valueBytes,
    };
  }

  #shown({ kind, lost, version, expiresAt, keyBytes, value }) {
    if (kind === "lagged") return { kind, lost };
    if (kind === "reset") return { kind, version };
    const event = { kind, key: this.#asBytes ? keyBytes : this.#engine.decodeKey(keyBytes), version };
    if (kind === "set") {
      if (this.#values) event.value = value;
      if (expiresAt !== 0) event.expiresAt = expiresAt;
    }
    return event;
  }
}
