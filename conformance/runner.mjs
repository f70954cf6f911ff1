// Runs the commands of a script on the npm package ingot-state. It is the twin
// of runner_test.go and runs in Node and in browsers.
import { asBytes, parseBytes, parseDuration, rewrite, showBytes } from "./script.mjs";

/** What the clock shows when a script begins. */
const CLOCK_START = 10_000_000;

/**
 * runScript returns the script with the output that the package gives, and the
 * snapshots that the script has kept, by name.
 * @param {string} script
 * @param {{ open: Function, IngotError: Function }} ingot the package
 * @param {(name: string) => Promise<Uint8Array>} loadFile reads what `load` names
 */
export async function runScript(script, ingot, loadFile) {
  const run = new Run(ingot, loadFile);
  await run.open("main", {});
  const output = await rewrite(script, (command) => run.command(command));
  for (const store of run.stores.values()) await store.close();
  return { output, snapshots: run.snapshots };
}

class Run {
  stores = new Map();
  store = null;
  clock = CLOCK_START;
  watchers = new Map();
  snapshots = new Map();

  constructor(ingot, loadFile) {
    this.ingot = ingot;
    this.loadFile = loadFile;
  }

  async open(name, options) {
    const store = await this.ingot.open({
      name,
      now: () => this.clock,
      maxBytes: Number(options.maxBytes ?? 0),
      maxValueBytes: Number(options.maxValueBytes ?? 0),
      evict: options.evict === "yes",
    });
    this.stores.set(name, store);
    this.store = store;
  }

  async command({ name, words, options, lines }) {
    if (!Object.hasOwn(commands, name)) throw new Error(`the script is wrong: there is no command ${name}`);
    try {
      return await commands[name](this, words, options, lines);
    } catch (error) {
      if (!(error instanceof this.ingot.IngotError)) throw error;
      if (error.code === "ERR_CONFLICT") return `! ERR_CONFLICT version ${error.version} index ${error.index}`;
      return `! ${error.code}`;
    }
  }
}

/** Every command: (run, words, options, lines) => what it prints. README.md describes them. */
const commands = {
  clock(run, [word]) {
    run.clock = word.startsWith("=") ? Number(word.slice(1)) : run.clock + parseDuration(word);
    return `now ${run.clock}`;
  },
  async open(run, [name], options) {
    await run.open(name, options);
    return "ok";
  },
  use(run, [name]) {
    run.store = run.stores.get(name);
    return "ok";
  },
  async close(run) {
    await run.store.close();
    return "ok";
  },

  // get reads in four ways, which must agree.
  get({ store }, [word]) {
    const key = parseBytes(word);
    const entry = store.getEntry(key);
    const others = [store.get(key), store.getMany([key])[0]];
    if (entry === undefined) return others.every((value) => value === undefined) && !store.has(key) ? "absent" : "the reads disagree";
    const shown = showBytes(entry.value);
    if (!store.has(key) || others.some((value) => value === undefined || showBytes(value) !== shown)) return "the reads disagree";
    return shown + showMeta(entry);
  },
  exists: ({ store }, [key]) => String(store.has(parseBytes(key))),
  getMany({ store }, words) {
    const values = store.getMany(words.map(parseBytes));
    return [`${values.length} values`, ...values.map((value) => (value === undefined ? "absent" : showBytes(value)))].join("\n");
  },
  set: ({ store }, [key, value], options) => `version ${store.set(parseBytes(key), parseBytes(value), conditions(options))}`,
  delete({ store }, [key], options) {
    const version = store.delete(parseBytes(key), conditions(options));
    return version === 0 ? "absent" : `version ${version}`;
  },
  increment: ({ store }, [key, delta = "1"]) => `sum ${store.increment(parseBytes(key), BigInt(delta))}`,
  cas({ store }, [key, wanted, value]) {
    const { swapped, version } = store.cas(parseBytes(key), Number(wanted), parseBytes(value));
    return `${swapped ? "swapped" : "not swapped"} version ${version}`;
  },
  expire({ store }, [key, ttl]) {
    const version = store.expire(parseBytes(key), parseDuration(ttl));
    return version === 0 ? "absent" : `version ${version}`;
  },
  setMany({ store }, words, options) {
    const entries = [];
    for (let i = 0; i + 1 < words.length; i += 2) entries.push([parseBytes(words[i]), parseBytes(words[i + 1]), conditions(options)]);
    return ["versions", ...store.setMany(entries)].join(" ");
  },
  deleteMany({ store }, words, { times = "1" }) {
    const keys = words.map(parseBytes);
    return `deleted ${store.deleteMany(Array.from({ length: keys.length * Number(times) }, (_, i) => keys[i % keys.length]))}`;
  },
  batch({ store }, _words, _options, lines) {
    const results = store.batch(lines.map(operation));
    const shown = results.map(({ version, existed, number }) => `version ${version} existed ${existed}${number === undefined ? "" : ` sum ${number}`}`);
    return [`${results.length} results`, ...shown].join("\n");
  },
  fill({ store }, [prefix, count, size]) {
    const value = "x".repeat(Number(size));
    const entries = Array.from({ length: Number(count) }, (_, i) => [parseBytes(prefix) + String(i).padStart(6, "0"), value]);
    return `versions ${store.setMany(entries).length}`;
  },
  clear: ({ store }, [prefix = '""']) => `deleted ${store.clear(parseBytes(prefix))}`,
  list({ store }, _words, options) {
    const { entries, next } = store.list({
      prefix: parseBytes(options.prefix ?? '""'),
      after: parseBytes(options.after ?? '""'),
      limit: Number(options.limit ?? 0),
      values: options.values === true,
      keyType: "bytes",
    });
    const shown = entries.map((entry) => `${showBytes(entry.key)} size ${entry.size}${showMeta(entry)}${entry.value === undefined ? "" : ` = ${showBytes(entry.value)}`}`);
    return [...shown, next === undefined ? "end" : `next ${showBytes(next)}`].join("\n");
  },
  watch({ store, watchers }, [name], options) {
    const watcher = store.watch({
      prefix: parseBytes(options.prefix ?? '""'),
      buffer: Number(options.buffer ?? 0),
      values: options.values === true,
      keyType: "bytes",
    });
    watchers.set(name, watcher);
    return "ok";
  },
  poll({ watchers }, [name, max]) {
    const events = watchers.get(name).poll(max === undefined ? undefined : Number(max));
    return events.map(showEvent).join("\n") || "none";
  },
  unwatch({ watchers }, [name]) {
    watchers.get(name).close();
    watchers.delete(name);
    return "ok";
  },
  async snapshot({ store, snapshots }, [name]) {
    snapshots.set(name, await store.snapshot());
    return "ok";
  },
  async load({ snapshots, loadFile }, [name, file]) {
    snapshots.set(name, await loadFile(parseBytes(file)));
    return "ok";
  },
  bytes({ snapshots }, [name, bytes]) {
    snapshots.set(name, asBytes(parseBytes(bytes)));
    return "ok";
  },
  async restore({ store, snapshots }, [name], { flip, cut, append }) {
    let snapshot = snapshots.get(name).slice();
    if (flip !== undefined) snapshot[Number(flip) + (Number(flip) < 0 ? snapshot.length : 0)] ^= 1;
    if (cut !== undefined) snapshot = snapshot.subarray(0, snapshot.length - Number(cut));
    await store.restore(append === undefined ? snapshot : [snapshot, asBytes(parseBytes(append))]);
    return "ok";
  },
  budget({ store }, [prefix, bytes]) {
    store.setBudget(parseBytes(prefix), Number(bytes));
    return "ok";
  },
  tick: ({ store }, [max = "0"]) => `expired ${store.tick(Number(max))}`,
  stats: ({ store }) => Object.entries(store.stats()).flat().join(" "),
};

function showMeta({ version, expiresAt }) {
  return ` version ${version}${expiresAt === undefined ? "" : ` expires ${expiresAt}`}`;
}

function showEvent(event) {
  if (event.kind === "lagged") return `lagged ${event.lost}`;
  if (event.kind === "reset") return `reset version ${event.version}`;
  return `${event.kind} ${showBytes(event.key)}${showMeta(event)}${event.value === undefined ? "" : ` = ${showBytes(event.value)}`}`;
}

// conditions turns the options of a script into those of the package.
function conditions({ ttl, keepTtl, ifVersion, ifAbsent }) {
  const given = {};
  if (ttl !== undefined) given.ttl = parseDuration(ttl);
  if (keepTtl !== undefined) given.keepTtl = true;
  if (ifVersion !== undefined) given.ifVersion = Number(ifVersion);
  if (ifAbsent !== undefined) given.ifAbsent = true;
  return given;
}

function operation({ name, words: [key, second], options }) {
  const op = { op: name, key: parseBytes(key), ...conditions(options) };
  if (name === "set") op.value = parseBytes(second);
  if (name === "increment") op.delta = BigInt(second ?? 1);
  if (name === "expire") op.ttl = parseDuration(second);
  return op;
}
