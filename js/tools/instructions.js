// The instructions of WebAssembly 2.0, as far as finding where each one ends.
// Source: the core specification's index of instructions.

export const OP = {
  BLOCK: 0x02, LOOP: 0x03, IF: 0x04, ELSE: 0x05, END: 0x0b,
  BR: 0x0c, BR_IF: 0x0d, BR_TABLE: 0x0e, RETURN: 0x0f, UNREACHABLE: 0x00,
  CALL: 0x10, CALL_INDIRECT: 0x11,
  LOCAL_GET: 0x20, LOCAL_TEE: 0x22, GLOBAL_GET: 0x23, GLOBAL_SET: 0x24,
  MEMORY_GROW: 0x40, I32_CONST: 0x41, I64_CONST: 0x42,
  I32_EQ: 0x46, I64_LT_S: 0x53, I32_OR: 0x72, I64_SUB: 0x7d, I64_MUL: 0x7e, I64_SHR_U: 0x88, I64_EXTEND_I32_U: 0xad,
  TABLE_SET: 0x26, BULK: 0xfc, VECTOR: 0xfd,
};

/** The second bytes of the bulk instructions, which begin with OP.BULK. */
export const BULK = {
  MEMORY_INIT: 8, DATA_DROP: 9, MEMORY_COPY: 10, MEMORY_FILL: 11,
  TABLE_INIT: 12, ELEM_DROP: 13, TABLE_COPY: 14, TABLE_GROW: 15, TABLE_SIZE: 16, TABLE_FILL: 17,
};

const LABELS_MAX = 1 << 20;

/**
 * Reader walks over a module's bytes. What lies beyond the end is an error, not
 * undefined.
 */
export class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get more() {
    return this.at < this.end;
  }

  fail(what) {
    return new RangeError(`${what} at byte ${this.at}`);
  }

  byte() {
    if (this.at >= this.end) throw this.fail("it ends too early");
    return this.bytes[this.at++];
  }

  skip(count) {
    if (count > this.end - this.at) throw this.fail("it ends too early");
    this.at += count;
  }

  /** u32 reads an unsigned LEB128 number of at most 32 bits. */
  u32() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const b = this.byte();
      if (shift === 28 && b > 0x0f) break;
      value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw this.fail("a number has more than 32 bits");
  }

  /** leb skips a signed LEB128 number of at most 64 bits. */
  leb() {
    for (let i = 0; i < 10; i++) if (this.byte() < 0x80) return;
    throw this.fail("a number has more than 64 bits");
  }

  name() {
    const size = this.u32();
    const from = this.at;
    this.skip(size);
    return new TextDecoder("utf-8", { fatal: true }).decode(this.bytes.subarray(from, this.at));
  }

  /** instruction passes one instruction; it returns its opcode, and sets `bulk` for OP.BULK. */
  instruction() {
    const op = this.byte();
    if (op >= 0x45 && op <= 0xc4) return op; // comparisons, arithmetic, conversions
    if (op >= 0x28 && op <= 0x3e) this.memoryOperand();
    else if (op >= 0x20 && op <= 0x26) this.u32();
    else this.#rare(op);
    return op;
  }

  #rare(op) {
    switch (op) {
      case 0x00: case 0x01: case 0x05: case 0x0b: case 0x0f: case 0x1a: case 0x1b: case 0xd1: return;
      case OP.BLOCK: case OP.LOOP: case OP.IF: case OP.I32_CONST: case OP.I64_CONST: return this.leb();
      case OP.BR: case OP.BR_IF: case OP.CALL: case 0xd2: case 0x3f: case OP.MEMORY_GROW: return void this.u32();
      case OP.BR_TABLE: return this.#labels();
      case OP.CALL_INDIRECT: return void (this.u32(), this.u32());
      case 0x1c: return this.skip(this.u32());
      case 0x43: return this.skip(4);
      case 0x44: return this.skip(8);
      case 0xd0: return this.skip(1);
      case OP.BULK: return this.#bulk();
      case OP.VECTOR: return this.#vector();
      default: throw this.fail(`0x${op.toString(16)} is no instruction of WebAssembly 2.0,`);
    }
  }

  #labels() {
    const count = this.u32();
    if (count > LABELS_MAX) throw this.fail(`a branch table has ${count} labels`);
    for (let i = 0; i <= count; i++) this.u32();
  }

  memoryOperand() {
    this.u32();
    this.u32();
  }

  #bulk() {
    this.bulk = this.u32();
    if (this.bulk > BULK.TABLE_FILL) throw this.fail(`0xfc ${this.bulk} is no instruction of WebAssembly 2.0,`);
    const two = [BULK.MEMORY_INIT, BULK.MEMORY_COPY, BULK.TABLE_INIT, BULK.TABLE_COPY];
    if (this.bulk >= BULK.MEMORY_INIT) this.u32();
    if (two.includes(this.bulk)) this.u32();
  }

  #vector() {
    const op = this.u32();
    if (op > 255) throw this.fail(`0xfd ${op} is no instruction of WebAssembly 2.0,`);
    if (op <= 11 || op === 92 || op === 93) this.memoryOperand();
    else if (op === 12 || op === 13) this.skip(16);
    else if (op >= 21 && op <= 34) this.skip(1);
    else if (op >= 84 && op <= 91) {
      this.memoryOperand();
      this.skip(1);
    }
  }
}

/** Writer collects bytes. */
export class Writer {
  #bytes = new Uint8Array(1024);
  length = 0;

  #room(count) {
    if (this.length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  byte(...bytes) {
    this.#room(bytes.length);
    for (const b of bytes) this.#bytes[this.length++] = b;
    return this;
  }

  copy(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  u32(value) {
    while (value > 0x7f) {
      this.byte((value % 128) | 0x80);
      value = Math.floor(value / 128);
    }
    return this.byte(value);
  }

  /** s64 writes a number of at most 2^53 as signed LEB128. */
  s64(value) {
    let n = BigInt(value);
    for (;;) {
      const low = Number(n & 0x7fn);
      n >>= 7n;
      if ((n === 0n && low < 0x40) || (n === -1n && low >= 0x40)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  name(text) {
    const bytes = new TextEncoder().encode(text);
    return this.u32(bytes.length).copy(bytes);
  }

  bytes() {
    return this.#bytes.subarray(0, this.length);
  }
}
