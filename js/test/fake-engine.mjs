// Builds small wasm modules that look like an engine from outside, so that the
// package can be shown other versions, missing exports and traps.

const I32 = 0x7f;
const UNREACHABLE = [0x00];

const size = (n) => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...size(n >>> 7)]);
const vector = (items) => [...size(items.length), ...items.flat()];
const MEMORY_SECTION = 5;
const section = (id, content) => [id, ...size(content.length), ...content];
const name = (text) => vector([...new TextEncoder().encode(text)].map((byte) => [byte]));
const constant = (n) => [0x41, ...signed(n)];

function signed(n) {
  const byte = n & 0x7f;
  const rest = n >> 7;
  const done = (rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0);
  return done ? [byte] : [byte | 0x80, ...signed(rest)];
}

/**
 * fakeEngine builds a module whose exported functions take nothing and return
 * a number each, or trap where it is undefined.
 * @param {Record<string, number | undefined>} functions
 */
export function fakeEngine(functions, { memory = true, imports = [] } = {}) {
  const names = Object.keys(functions);
  const bodies = names.map((each) => {
    const code = functions[each] === undefined ? UNREACHABLE : constant(functions[each]);
    const body = [0x00, ...code, 0x0b];
    return [...size(body.length), ...body];
  });
  const exports = names.map((each, i) => [...name(each), 0x00, ...size(imports.length + i)]);
  if (memory) exports.push([...name("memory"), 0x02, 0x00]);
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, vector([[0x60, 0x00, 0x01, I32]])),
    ...section(2, vector(imports.map(([module, field]) => [...name(module), ...name(field), 0x00, 0x00]))),
    ...section(3, vector(names.map(() => [0x00]))),
    ...section(5, vector([[0x00, 0x10]])),
    ...section(7, vector(exports)),
    ...section(10, vector(bodies)),
  ]);
}

/** withMemoryMax returns a module whose memory ends at that many pages of 64 KiB. */
export function withMemoryMax(module, pages) {
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [length, start] = readSize(module, at + 1);
    if (id === MEMORY_SECTION) {
      const [least] = readSize(module, start + 2); // behind the count of memories and the flags
      const limited = section(MEMORY_SECTION, [0x01, 0x01, ...size(least), ...size(pages)]);
      return Uint8Array.from([...module.subarray(0, at), ...limited, ...module.subarray(start + length)]);
    }
    at = start + length;
  }
  throw new Error("the module has no memory");
}

function readSize(bytes, at) {
  let number = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    number |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [number, at];
  }
}
