import { ToolError } from "./errors.js";
import { BULK, OP, Reader, Writer } from "./instructions.js";

// JavaScript cannot stop WebAssembly that runs. So the code is made to count
// down before it is compiled: each stretch of straight code, and each bulk
// instruction by its length, takes its cost from a global, and below zero the
// guest traps. The same input burns the same fuel. No index changes: what is
// added (a global, exports, a local) stands at the end.

/** The export that holds the fuel: a mutable i64. */
export const FUEL_EXPORT = "ingot:fuel";

/** The export that is 1 once memory was refused: a mutable i32. */
export const REFUSED_EXPORT = "ingot:refused";

const GLOBAL_EXPORT = "ingot:global:";
const PAGE_BYTES = 65536;
const LOCALS_MAX = 50_000;

// Bytes, or elements, that a bulk instruction handles for one unit of fuel, as
// a power of two.
const BULK_SHIFT = 6n;

const SECTION = { CUSTOM: 0, TYPE: 1, IMPORT: 2, FUNCTION: 3, TABLE: 4, MEMORY: 5, GLOBAL: 6, EXPORT: 7, CODE: 10 };
const ORDER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
const ADDED_GLOBALS = 2; // fuel, refused
const I32 = 0x7f;
const I64 = 0x7e;
const REFERENCES = new Set([0x70, 0x6f]);
const V128 = 0x7b;
const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/**
 * instrument returns the module with its fuel counted, its memory and tables
 * bounded, and the names under which its mutable globals are exported.
 * `resettable` tells whether memory and globals are all that a call can change.
 *
 * @param {Uint8Array} bytes
 */
export function instrument(bytes, limits) {
  const module = new Rewriter(bytes, limits);
  return module.run();
}

function refuse(message) {
  return new ToolError("ERR_TOOL_MODULE", message);
}

class Rewriter {
  #bytes;
  #limits;
  #params = [];
  #functions = [];
  #importedGlobals = 0;
  #globals = []; // of the mutable ones of the module: index and type
  #definedGlobals = 0;
  #resettable = true;

  constructor(bytes, limits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  get #fuel() {
    return this.#importedGlobals + this.#definedGlobals;
  }

  run() {
    if (!HEADER.every((b, i) => this.#bytes[i] === b)) throw refuse("it does not begin as a WebAssembly module of version 1 does: it is another file, or a component");
    const out = new Writer().copy(HEADER);
    const due = [SECTION.GLOBAL, SECTION.EXPORT]; // what it may lack, and gets
    for (const { id, reader } of this.#sections()) {
      while (id !== SECTION.CUSTOM && due.length > 0 && ORDER.indexOf(due[0]) <= ORDER.indexOf(id)) {
        const missing = due.shift();
        if (missing !== id) this.#put(out, missing, new Reader(Uint8Array.of(0)));
      }
      this.#put(out, id, reader);
    }
    for (const id of due) this.#put(out, id, new Reader(Uint8Array.of(0)));
    return { bytes: out.bytes(), globals: this.#globals.map(({ index }) => GLOBAL_EXPORT + index), resettable: this.#resettable };
  }

  #sections() {
    const all = [];
    const r = new Reader(this.#bytes, HEADER.length);
    let last = -1;
    while (r.more) {
      const id = r.byte();
      const size = r.u32();
      const from = r.at;
      r.skip(size);
      const place = ORDER.indexOf(id);
      if (id !== SECTION.CUSTOM && (place < 0 || place <= last)) throw refuse(`section ${id} is unknown or out of order`);
      if (id !== SECTION.CUSTOM) last = place;
      all.push({ id, reader: new Reader(this.#bytes, from, r.at) });
    }
    return all;
  }

  #put(out, id, reader) {
    const content = this.#content(id, reader);
    out.byte(id).u32(content.length).copy(content);
  }

  #content(id, r) {
    const whole = r.bytes.subarray(r.at, r.end);
    switch (id) {
      case SECTION.TYPE: this.#readTypes(r); return whole;
      case SECTION.IMPORT: this.#readImports(r); return whole;
      case SECTION.FUNCTION: this.#functions = Array.from({ length: r.u32() }, () => r.u32()); return whole;
      case SECTION.TABLE: return this.#tables(r);
      case SECTION.MEMORY: return this.#memory(r);
      case SECTION.GLOBAL: return this.#addFuel(r);
      case SECTION.EXPORT: return this.#addExports(r);
      case SECTION.CODE: return this.#code(r);
      default: return whole;
    }
  }

  #readTypes(r) {
    for (let n = r.u32(); n > 0; n--) {
      if (r.byte() !== 0x60) throw refuse("a type is not that of a function");
      const params = r.u32();
      r.skip(params);
      r.skip(r.u32());
      this.#params.push(params);
    }
  }

  #readImports(r) {
    for (let n = r.u32(); n > 0; n--) {
      const module = r.name();
      const name = r.name();
      if (r.byte() !== 0) throw new ToolError("ERR_TOOL_ABI", `it imports ${module}.${name}, which is no function: a tool imports functions only`);
      r.u32();
    }
  }

  #tables(r) {
    const out = new Writer();
    const count = r.u32();
    out.u32(count);
    const all = Array.from({ length: count }, () => ({ type: r.byte(), ...limitsOf(r) }));
    const start = all.reduce((sum, { min }) => sum + min, 0);
    if (start > this.#limits.tableElements) throw refuse(`its tables start with ${start} elements, at most ${this.#limits.tableElements} are allowed`);
    const spare = Math.floor((this.#limits.tableElements - start) / Math.max(count, 1));
    for (const { type, min, max } of all) out.byte(type, 1).u32(min).u32(Math.min(max, min + spare));
    return out.bytes();
  }

  #memory(r) {
    const count = r.u32();
    if (count !== 1) throw refuse(`it has ${count} memories: a tool has one`);
    const { min, max } = limitsOf(r);
    const most = Math.floor(this.#limits.memoryBytes / PAGE_BYTES);
    if (min > most) throw new ToolError("ERR_TOOL_MEMORY", `it starts with ${min * PAGE_BYTES} bytes of memory, and its limit is ${this.#limits.memoryBytes}: build it with less, or raise limits.memoryBytes`);
    return new Writer().byte(1, 1).u32(min).u32(Math.min(max, most)).bytes();
  }

  #addFuel(r) {
    const count = r.u32();
    const out = new Writer().u32(count + ADDED_GLOBALS);
    const from = r.at;
    for (this.#definedGlobals = 0; this.#definedGlobals < count; this.#definedGlobals++) {
      const type = r.byte();
      if (r.byte() === 1) this.#keep(type, this.#importedGlobals + this.#definedGlobals);
      while (r.instruction() !== OP.END);
    }
    out.copy(r.bytes.subarray(from, r.at));
    // A start function runs before anybody could fill it up.
    return out.byte(I64, 1, OP.I64_CONST).s64(this.#limits.fuel).byte(OP.END, I32, 1, OP.I32_CONST, 0, OP.END).bytes();
  }

  // What JavaScript cannot read or write cannot be put back.
  #keep(type, index) {
    if (type === V128 || REFERENCES.has(type)) this.#resettable = false;
    else this.#globals.push({ type, index });
  }

  #addExports(r) {
    const count = r.u32();
    const out = new Writer().u32(count + ADDED_GLOBALS + this.#globals.length);
    const from = r.at;
    for (let i = 0; i < count; i++) {
      const name = r.name();
      if (name.startsWith("ingot:")) throw refuse(`it exports ${name}: names that begin with "ingot:" are the host's`);
      r.byte();
      r.u32();
    }
    out.copy(r.bytes.subarray(from, r.at));
    for (const { index } of this.#globals) out.name(GLOBAL_EXPORT + index).byte(3).u32(index);
    return out.name(FUEL_EXPORT).byte(3).u32(this.#fuel).name(REFUSED_EXPORT).byte(3).u32(this.#fuel + 1).bytes();
  }

  #code(r) {
    const count = r.u32();
    if (count !== this.#functions.length) throw refuse(`it has ${count} function bodies, but ${this.#functions.length} functions`);
    const out = new Writer().u32(count);
    for (let i = 0; i < count; i++) {
      const size = r.u32();
      const from = r.at;
      r.skip(size);
      const body = this.#body(new Reader(r.bytes, from, r.at), this.#params[this.#functions[i]] ?? 0);
      out.u32(body.length).copy(body);
    }
    return out.bytes();
  }

  // body counts the locals, so that one more can hold a length, and meters the code.
  #body(r, params) {
    const groups = r.u32();
    const from = r.at;
    let locals = params;
    for (let i = 0; i < groups; i++) {
      locals += r.u32();
      r.byte();
      if (locals > LOCALS_MAX) throw refuse(`a function has more than ${LOCALS_MAX} local variables`);
    }
    const declared = r.bytes.subarray(from, r.at);
    const code = new Metered(this.#fuel, locals);
    code.take(r);
    if (!code.resettable) this.#resettable = false;
    return new Writer().u32(groups + 1).copy(declared).u32(1).byte(I32).copy(code.out.bytes()).bytes();
  }
}

function limitsOf(r) {
  const flags = r.byte();
  if (flags > 1) throw refuse("a memory or table is shared or of 64 bits, which is beyond WebAssembly 2.0");
  const min = r.u32();
  return { min, max: flags === 1 ? r.u32() : 0xffffffff };
}

// Metered is one function's code with the charges in place.
class Metered {
  out = new Writer();
  resettable = true;
  #fuel;
  #length; // the local that holds a length

  constructor(fuel, length) {
    this.#fuel = fuel;
    this.#length = length;
  }

  // take copies the code stretch by stretch: what runs as a whole is paid at its start.
  take(r) {
    let start = r.at;
    let cost = 0;
    const bulk = [];
    while (r.more) {
      const at = r.at;
      const op = r.instruction();
      cost++;
      if (op === OP.BULK) this.#noteBulk(r.bulk, at, bulk);
      else if (op === OP.MEMORY_GROW) bulk.push({ at, end: r.at });
      else if (op === OP.TABLE_SET) this.resettable = false;
      if (endsStretch(op)) {
        this.#stretch(r, start, r.at, cost, bulk);
        start = r.at;
        cost = 0;
      }
    }
    if (start < r.at) throw new RangeError("a function does not end with end");
  }

  #noteBulk(op, at, bulk) {
    const lengths = [BULK.MEMORY_INIT, BULK.MEMORY_COPY, BULK.MEMORY_FILL, BULK.TABLE_INIT, BULK.TABLE_COPY, BULK.TABLE_GROW, BULK.TABLE_FILL];
    if (lengths.includes(op)) bulk.push({ at });
    if (op >= BULK.TABLE_INIT && op !== BULK.TABLE_SIZE || op === BULK.DATA_DROP) this.resettable = false;
  }

  #stretch(r, from, to, cost, bulk) {
    this.#charge(() => this.out.byte(OP.I64_CONST).s64(cost));
    let at = from;
    for (const { at: place, end } of bulk) {
      this.out.copy(r.bytes.subarray(at, place));
      this.#chargeLength(end !== undefined);
      at = place;
      if (end === undefined) continue;
      this.out.copy(r.bytes.subarray(place, end));
      this.#noteRefusal();
      at = end;
    }
    this.out.copy(r.bytes.subarray(at, to));
    bulk.length = 0;
  }

  #charge(amount) {
    const { out } = this;
    out.byte(OP.GLOBAL_GET).u32(this.#fuel);
    amount();
    out.byte(OP.I64_SUB, OP.GLOBAL_SET).u32(this.#fuel).byte(OP.GLOBAL_GET).u32(this.#fuel);
    out.byte(OP.I64_CONST, 0, OP.I64_LT_S, OP.IF, 0x40, OP.UNREACHABLE, OP.END);
  }

  // The length lies on top of the stack. Pages of memory.grow cost as much as filling them.
  #chargeLength(pages) {
    const { out } = this;
    out.byte(OP.LOCAL_TEE).u32(this.#length);
    this.#charge(() => {
      out.byte(OP.LOCAL_GET).u32(this.#length).byte(OP.I64_EXTEND_I32_U, OP.I64_CONST);
      if (pages) out.s64(PAGE_BYTES >> Number(BULK_SHIFT)).byte(OP.I64_MUL);
      else out.s64(BULK_SHIFT).byte(OP.I64_SHR_U);
    });
  }

  // The answer of memory.grow lies on top of the stack: -1 is a refusal.
  #noteRefusal() {
    const refused = this.#fuel + 1;
    this.out.byte(OP.LOCAL_TEE).u32(this.#length).byte(OP.I32_CONST, 0x7f, OP.I32_EQ);
    this.out.byte(OP.GLOBAL_GET).u32(refused).byte(OP.I32_OR, OP.GLOBAL_SET).u32(refused);
    this.out.byte(OP.LOCAL_GET).u32(this.#length);
  }
}

// A stretch ends where control may come in or go away.
function endsStretch(op) {
  return op === OP.LOOP || op === OP.IF || op === OP.ELSE || op === OP.END || op === OP.BR_IF || op === OP.BR || op === OP.BR_TABLE || op === OP.RETURN || op === OP.UNREACHABLE;
}
