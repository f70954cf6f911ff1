import { SYNCED, WRITES, failureOf, packed } from "./wire.js";

const EVENTS_MAX = 1024; // of a watcher, in one answer

/** Host has a store and answers the calls of those who have none. */
export class Host {
  #store;
  #waits; // whether an answer waits until its writes are durable
  #watchers = new Map(); // by the caller's name for them
  #turn = Promise.resolve();
  #answers = new Set(); // answers that wait for a sync
  #closing = false;

  constructor(store, { persist, sync = "group" }) {
    this.#store = store;
    this.#waits = persist !== undefined && persist !== false && SYNCED.has(sync);
  }

  /**
   * run runs the calls of a message behind those of the messages before, and hands
   * answer the results. `from` is who asks: watchers belong to their maker.
   */
  run(from, { id, calls }, answer) {
    this.#turn = this.#turn.then(() => this.#run(from, id, calls, answer));
    return this.#turn;
  }

  async #run(from, id, calls, answer) {
    const results = [];
    const failures = [];
    const written = [];
    const transfer = [];
    if (calls[0][0] === "watchNext") return this.#answerWatch(from, id, calls[0][1], answer);
    for (const [place, [method, ...args]] of calls.entries()) {
      try {
        const result = this.#call(from, method, args, transfer);
        results.push(method !== "flush" && result instanceof Promise ? await result : result);
        if (WRITES.has(method)) written.push(place);
      } catch (error) {
        results.push(undefined);
        failures.push([place, failureOf(error)]);
      }
    }
    const durable = this.#waits && written.length > 0 ? this.#store.flush() : undefined;
    if (durable === undefined && !results.some((result) => result instanceof Promise)) return answer({ id, results, failures }, transfer);
    const settled = this.#settle({ id, results, failures }, written, durable).then((all) => answer(all, transfer));
    this.#answers.add(settled);
    settled.finally(() => this.#answers.delete(settled));
  }

  // settle waits for a sync, which the messages behind do not.
  async #settle(all, written, durable) {
    const { results, failures } = all;
    try {
      await durable;
    } catch (error) {
      for (const place of written) failures.push([place, failureOf(error)]);
    }
    for (const [place, result] of results.entries()) {
      try {
        results[place] = await result;
      } catch (error) {
        results[place] = undefined;
        failures.push([place, failureOf(error)]);
      }
    }
    return all;
  }

  // answerWatch waits for events, alone in its message. A watcher that ends with this
  // host goes on at another, so that is no answer.
  async #answerWatch(from, id, watch, answer) {
    this.#watchNext(`${from} ${watch}`).then((events) => {
      if (events.length > 0 || !this.#closing) answer({ id, results: [events], failures: [] });
    }, (error) => answer({ id, results: [undefined], failures: [[0, failureOf(error)]] }));
  }

  #call(from, method, args, transfer) {
    const store = this.#store;
    switch (method) {
      case "gets": {
        const values = this.#gets(args[0]);
        transfer.push(values.sizes.buffer, values.bytes.buffer);
        return values;
      }
      case "sets":
        return this.#sets(...args);
      case "watch":
        this.#unwatch(`${from} ${args[0]}`);
        this.#watchers.set(`${from} ${args[0]}`, iterated(store.watch(args[1])));
        return undefined;
      case "unwatch":
        this.#unwatch(`${from} ${args[0]}`);
        return undefined;
      default:
        return store[method](...args);
    }
  }

  // A key that is refused must not cost the others their values.
  #gets(keys) {
    const failures = [];
    let values;
    try {
      values = this.#store.getMany(keys);
    } catch {
      values = keys.map((key, i) => {
        try {
          return this.#store.get(key);
        } catch (error) {
          failures.push([i, failureOf(error)]);
          return undefined;
        }
      });
    }
    return { asked: keys.length, ...packed(values), failures };
  }

  #sets(keys, sizes, bytes) {
    const versions = [];
    const failures = [];
    let at = 0;
    for (const [i, key] of keys.entries()) {
      try {
        versions.push(this.#store.set(key, bytes.subarray(at, at + sizes[i])));
      } catch (error) {
        versions.push(0);
        failures.push([i, failureOf(error)]);
      }
      at += sizes[i];
    }
    return { asked: keys.length, versions, failures };
  }

  // At least one event, or none when the watcher is closed.
  async #watchNext(name) {
    const held = this.#watchers.get(name);
    if (held === undefined) return [];
    const { value, done } = await held.events.next();
    return done ? [] : [value, ...held.watcher.poll(EVENTS_MAX)];
  }

  #unwatch(name) {
    this.#watchers.get(name)?.watcher.close();
    this.#watchers.delete(name);
  }

  /** forget closes the watchers of one who is gone. */
  forget(from) {
    for (const name of this.#watchers.keys()) if (name.startsWith(`${from} `)) this.#unwatch(name);
  }

  /** close ends the store when the calls before are done and answered. */
  async close() {
    this.#closing = true;
    await this.#turn;
    try {
      await this.#store.close();
    } finally {
      await Promise.allSettled([...this.#answers]);
    }
  }
}

// An iterator hands out what it has taken before it ends: watcher.poll gives the rest.
function iterated(watcher) {
  return { watcher, events: watcher[Symbol.asyncIterator]() };
}
