// The ranges and iterators of abstract-level.js. The engine lists forward only: how this
// goes backward is told at `backward`.
import { AbstractIterator } from "abstract-level";

// Entries of the first page, of which often one or a few are wanted, and of later ones;
// and the fewest that a step backward looks at.
const FIRST_PAGE = 100;
const LATER_PAGE = 1000;
const SMALLEST_PAGE = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** IngotIterator hands out the entries of a range, a page of the store at a time. */
export class IngotIterator extends AbstractIterator {
  #store;
  #base;
  #options;
  #range;
  #pages; // an async generator; undefined when a seek has left the range
  #page = [];
  #at = 0;

  constructor(db, store, base, options) {
    super(db, options);
    this.#store = store;
    this.#base = base;
    this.#options = options;
    this.#range = rangeOf(base, options);
    this.#start(this.#range);
  }

  #start(range) {
    const { reverse, values } = this.#options;
    this.#pages = walk(this.#store, range, { reverse, values, limit: this.limit });
    this.#page = [];
    this.#at = 0;
  }

  async _next() {
    const [entry] = await this._nextv(1);
    return entry;
  }

  async _nextv(size) {
    const found = [];
    while (found.length < size && (this.#at < this.#page.length || (await this.#turn()))) {
      const end = Math.min(this.#page.length, this.#at + size - found.length);
      for (; this.#at < end; this.#at++) found.push(this.#entry(this.#page[this.#at]));
    }
    return found;
  }

  async #turn() {
    const { done, value } = (await this.#pages?.next()) ?? { done: true };
    const { signal } = this.#options;
    if (signal?.aborted) throw Object.assign(new Error("Operation has been aborted", { cause: signal.reason }), { name: "AbortError", code: "LEVEL_ABORTED" });
    if (done) return false;
    this.#page = value;
    this.#at = 0;
    return true;
  }

  #entry([key, value]) {
    const { keys, keyEncoding, values, valueEncoding } = this.#options;
    const own = key.subarray(this.#base.length);
    return [
      keys === false ? undefined : keyEncoding === "utf8" ? decoder.decode(own) : own,
      values === false ? undefined : valueEncoding === "utf8" ? decoder.decode(value) : value,
    ];
  }

  _seek(target) {
    const key = joinedKeys(this.#base, target);
    const { low, high } = this.#range;
    if (!above(key, low) || !below(key, high)) {
      this.#start(this.#range);
      this.#pages = undefined;
      return;
    }
    const here = { key, inclusive: true };
    this.#start(this.#options.reverse ? { ...this.#range, high: here } : { ...this.#range, low: here });
  }

  async _close() {
    await this.#pages?.return();
    this.#page = [];
  }
}

/** joinedKeys is a key behind a base of bytes. */
export function joinedKeys(base, key) {
  const bytes = typeof key === "string" ? encoder.encode(key) : key;
  const all = new Uint8Array(base.length + bytes.length);
  all.set(base);
  all.set(bytes, base.length);
  return all;
}

/**
 * rangeOf is the range of keys that the options of an iterator or of clear() name: its
 * ends, each a key and whether it belongs to the range, and the prefix that all keys in
 * it have. high is null where the range ends with the base.
 */
export function rangeOf(base, { gt, gte, lt, lte }) {
  const end = (inclusive, exclusive) => {
    if (inclusive !== undefined) return { key: joinedKeys(base, inclusive), inclusive: true };
    return exclusive === undefined ? null : { key: joinedKeys(base, exclusive), inclusive: false };
  };
  const [low, high] = [end(gte, gt), end(lte, lt)];
  return { low: low ?? { key: base, inclusive: true }, high, prefix: low && high ? shared(low.key, high.key) : base, whole: low === null && high === null };
}

/**
 * walk gives the entries of a range as pages of [key, value]; no more than `limit` of
 * them are wanted. It reads as it goes: what is written meanwhile may be in it or not.
 */
export async function* walk(store, range, { reverse, values, limit }) {
  const view = new View(store, range, values !== false, limit);
  const lowest = async () => (range.low.inclusive && range.low.key.length > 0 && below(range.low.key, range.high) ? view.found([range.low.key]) : []);
  if (reverse) {
    yield* backward(view);
    yield* nonEmpty(await lowest());
  } else {
    yield* nonEmpty(await lowest());
    yield* forward(view);
  }
}

function* nonEmpty(page) {
  if (page.length > 0) yield page;
}

async function* forward(view) {
  let size = Math.min(view.limit, FIRST_PAGE);
  for (let after = view.low; after !== undefined; size = Math.min(view.limit, LATER_PAGE)) {
    const { entries, next, reached } = await view.list(after, size, view.values);
    if (entries.length > 0) yield entries.map(({ key, value }) => [key, value]);
    after = reached ? undefined : next;
  }
}

// backward cuts the range into pieces of a page each, from its end. The cuts that it has
// not come back to yet are on a stack: between the last two may be many keys, and then
// they are cut again. A page costs two or three lists of its length and about as many of
// one key as a cut needs, whatever lies before it.
async function* backward(view) {
  let size = Math.max(SMALLEST_PAGE, Math.min(view.limit, FIRST_PAGE));
  for (const cuts = [view.low]; cuts.length > 0; ) {
    const cut = cuts.at(-1);
    const { entries, reached } = await view.list(cut, size, false);
    if (!reached) {
      cuts.push(await cutBehind(view, entries.at(-1).key));
      continue;
    }
    const page = view.values ? await view.found(entries.map(({ key }) => key)) : entries.map(({ key }) => [key]);
    if (page.length > 0) yield page.reverse();
    view.high = { key: cuts.pop(), inclusive: true };
    size = Math.max(SMALLEST_PAGE, Math.min(view.limit, LATER_PAGE));
  }
}

// cutBehind finds where to cut what lies behind a key, not far from its end: first how
// much of the key all the others begin with, and then the last byte that some go on with.
async function cutBehind(view, key) {
  let [few, many] = [view.prefix.length, key.length]; // bytes that others share, and do not
  if (few === many || !(await view.has(key))) return key;
  while (many - few > 1) {
    const middle = (few + many) >> 1;
    if (await view.has(behind(key.subarray(0, middle)))) many = middle;
    else few = middle;
  }
  const cut = key.slice(0, many);
  let [low, high] = [cut[many - 1], 256];
  while (high - low > 1) {
    cut[many - 1] = (low + high) >> 1;
    if (await view.has(cut)) low = cut[many - 1];
    else high = cut[many - 1];
  }
  cut[many - 1] = low;
  return compare(cut, key) > 0 ? cut : key;
}

/** View reads a range whose upper end comes down as it is read backward. */
class View {
  #store;
  prefix;
  low;
  high;
  values;
  limit;

  constructor(store, { low, high, prefix }, values, limit) {
    this.#store = store;
    this.prefix = prefix;
    this.low = low.key;
    this.high = high;
    this.values = values;
    this.limit = limit;
  }

  /** list is a page behind a key; reached says that it has all until the end. */
  async list(after, limit, values) {
    const { entries, next } = await this.#store.list({ prefix: this.prefix, after, limit, values, keyType: "bytes" });
    let count = entries.length;
    while (count > 0 && !below(entries[count - 1].key, this.high)) count--;
    const last = next === undefined || count < entries.length; // or the end itself is there
    const reached = last || (this.high !== null && compare(entries[count - 1].key, this.high.key) === 0);
    return { entries: entries.slice(0, count), next, reached };
  }

  /** has tells whether anything lies behind a key. */
  async has(after) {
    return (await this.list(after, 1, false)).entries.length > 0;
  }

  /** found is the keys that are still there, with their values. */
  async found(keys) {
    const values = await this.#store.getMany(keys);
    return keys.map((key, i) => [key, values[i]]).filter(([, value]) => value !== undefined);
  }
}

// behind is a key after nearly all that begin with these bytes.
function behind(bytes) {
  const key = new Uint8Array(bytes.length + 1);
  key.set(bytes);
  key[bytes.length] = 255;
  return key;
}

const above = (key, low) => compare(key, low.key) > (low.inclusive ? -1 : 0);
const below = (key, high) => high === null || compare(key, high.key) < (high.inclusive ? 1 : 0);

function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function shared(a, b) {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return a.subarray(0, length);
}
