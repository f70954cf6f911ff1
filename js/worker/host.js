import { WRITES, failureOf, packed } from "./wire.js";

const EVENTS_MAX = 1024; // of a watcher, in one answer
const SYNCED = new Set(["always", "group"]);

/** Host has a store and answers the calls of those who have none. */
export class Host {
  #store;
  #waits; // whether an answer waits until its writes are durable
  #watchers = new Map(); // by the caller's name for them
  #turn = Promise.resolve();

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
    for (const [place, [method, ...args]] of calls.entries()) {
      try {
        let result = this.#call(from, method, args, transfer);
        if (result instanceof Promise && method !== "flush" && method !== "watchNext") result = await result;
        results.push(result);
        if (WRITES.has(method)) written.push(place);
      } catch (error) {
        results.push(undefined);
        failures.push([place, failureOf(error)]);
      }
    }
    const durable = this.#waits && written.length > 0 ? this.#store.flush() : undefined;
    const waited = results.some((result) => result instanceof Promise);
    if (durable === undefined && !waited) return answer({ id, results, failures }, transfer);
    this.#settle(id, results, failures, written, durable).then((all) => answer(all, transfer));
  }

  // settle waits for what may take long: the messages behind do not.
  async #settle(id, results, failures, written, durable) {
    try {
      await durable;
    } catch (error) {
      for (const place of written) failures.push([place, failureOf(error)]);
    }
    for (const [place, result] of results.entries()) {
      if (!(result instanceof Promise)) continue;
      try {
        results[place] = await result;
      } catch (error) {
        results[place] = undefined;
        failures.push([place, failureOf(error)]);
      }
    }
    return { id, results, failures };
  }

  #call(from, method, args, transfer) {
    const store = this.#store;
    switch (method) {
      case "gets": {
        const values = this.#gets(args[0]);
        transfer.push(values.sizes.buffer, values.bytes.buffer);
        return values;
      }
      case "watch":
        this.#watchers.set(`${from} ${args[0]}`, iterated(store.watch(args[1])));
        return undefined;
      case "watchNext":
        return this.#watchNext(`${from} ${args[0]}`);
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

  /** close ends the store when the calls before are done. */
  close() {
    const closed = this.#turn.then(() => this.#store.close());
    this.#turn = closed.catch(() => {});
    return closed;
  }
}

// An iterator hands out what it has taken before it ends: watcher.poll gives the rest.
function iterated(watcher) {
  return { watcher, events: watcher[Symbol.asyncIterator]() };
}
