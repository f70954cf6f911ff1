// The fields of docs/FORMAT.md's payloads.

/** Fields takes a payload apart: bytes, little-endian numbers and uvarints. */
export class Fields {
  #rest;
  constructor(payload) { this.#rest = payload; }
  done() { return this.#rest.length === 0; }
  byte() { return this.bytes(1)[0]; }
  little(n) { return this.bytes(n).reduceRight((sum, b) => sum * 256 + b, 0); }
  bytes(size) {
    if (size > this.#rest.length) throw new Error("a field reaches beyond its block");
    const part = this.#rest.slice(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }
  uvarint() {
    for (let number = 0n, shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    throw new Error("a number has more than 64 bits");
  }
}
