// Bytes as text that JavaScript, gzip and brotli all take well. Base64 would cut bytes
// into pieces of 6 bits, in which a compressor finds little again: engine.wasm is a third
// larger by it after brotli, 8 percent by this. Each byte is one character of ASCII, or
// two for those that are rare:
//
//	text = alphabet, 256 times 1 or 2 characters, of byte 0 to 255; then the bytes
//
// The first of two characters is one of PREFIXES, which stand nowhere else.
const PREFIXES = "|}";
// What a string in double quotes shows as it is, without the prefixes; "$" and "`" are
// left out because bundlers print strings as templates.
const FIRST = 0x20;
const LAST = 0x7e;
const LEFT_OUT = `"\\$\`${PREFIXES}`;

/** textOf is the text of bytes. */
export function textOf(bytes) {
  const counts = new Array(256).fill(0);
  for (const byte of bytes) counts[byte]++;
  const singles = [];
  for (let code = FIRST; code <= LAST; code++) {
    const char = String.fromCharCode(code);
    if (!LEFT_OUT.includes(char)) singles.push(char);
  }
  const alphabet = new Array(256);
  const frequent = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  for (const [rank, byte] of frequent.entries()) {
    const row = Math.floor(rank / singles.length); // 0: without a prefix
    alphabet[byte] = (row === 0 ? "" : PREFIXES[row - 1]) + singles[rank % singles.length];
  }
  return alphabet.join("") + Array.from(bytes, (byte) => alphabet[byte]).join("");
}

/** bytesOf is the bytes of a text that textOf has made. */
export function bytesOf(text) {
  // By character, and by prefix: 0 is none, 1 the first, 2 the second.
  const tables = [new Uint8Array(128), new Uint8Array(128), new Uint8Array(128)];
  const [first, second] = [PREFIXES.charCodeAt(0), PREFIXES.charCodeAt(1)];
  const rowOf = (code) => (code === first ? 1 : code === second ? 2 : 0);
  let at = 0;
  for (let byte = 0; byte < 256; byte++) {
    const row = rowOf(text.charCodeAt(at));
    if (row !== 0) at++;
    tables[row][text.charCodeAt(at++)] = byte;
  }
  const bytes = new Uint8Array(text.length - at);
  let size = 0;
  while (at < text.length) {
    const row = rowOf(text.charCodeAt(at));
    if (row !== 0) at++;
    bytes[size++] = tables[row][text.charCodeAt(at++)];
  }
  return bytes.subarray(0, size);
}
