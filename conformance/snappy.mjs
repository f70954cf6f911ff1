// Snappy's block format, after github.com/google/snappy, format_description.txt.
import { Fields } from "./fields.mjs";

/** unsnappy decompresses a block. */
export function unsnappy(payload) {
  const f = new Fields(payload);
  const out = new Uint8Array(Number(f.uvarint()));
  let n = 0;
  while (!f.done()) {
    const tag = f.byte();
    let size = tag >> 2;
    if ((tag & 3) === 0) {
      if (size >= 60) size = f.little(size - 59);
      out.set(f.bytes(size + 1), n);
      n += size + 1;
      continue;
    }
    const short = (tag & 3) === 1;
    const distance = short ? ((tag >> 5) << 8) | f.byte() : f.little((tag & 3) === 2 ? 2 : 4);
    size = short ? (size & 7) + 4 : size + 1;
    if (distance <= 0 || distance > n) throw new Error("a broken copy");
    for (const end = n + size; n < end; n++) out[n] = out[n - distance];
  }
  if (n !== out.length) throw new Error("a compressed block of another length");
  return out;
}
