// XXH3-64 with a seed, after the specification (github.com/Cyan4973/xxHash,
// doc/xxhash_spec.md). It is a test oracle: clear, slow, and written without a
// look at hash/. Inputs are Uint8Arrays, seeds and results BigInts.

const P32_1 = 0x9e3779b1n;
const P32_2 = 0x85ebca77n;
const P32_3 = 0xc2b2ae3dn;
const P64_1 = 0x9e3779b185ebca87n;
const P64_2 = 0xc2b2ae3d27d4eb4fn;
const P64_3 = 0x165667b19e3779f9n;
const P64_4 = 0x85ebca77c2b2ae63n;
const P64_5 = 0x27d4eb2f165667c5n;
const MX_1 = 0x165667919e3779f9n;
const MX_2 = 0x9fb21c651e98df25n;

// The default secret of the specification.
const SECRET = Uint8Array.from(
  ("b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb" +
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
    .match(/../g),
  (hex) => parseInt(hex, 16),
);

const STRIPE = 64;
const STRIPES_PER_BLOCK = (SECRET.length - STRIPE) / 8;

const u64 = (n) => BigInt.asUintN(64, n);
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const read32 = (view, at) => BigInt(view.getUint32(at, true));
const read64 = (view, at) => view.getBigUint64(at, true);
const rotl = (n, by) => u64((n << by) | (n >> (64n - by)));

const secretView = viewOf(SECRET);

function swap(n, bytes) {
  let out = 0n;
  for (let i = 0n; i < bytes; i++) out = (out << 8n) | ((n >> (8n * i)) & 0xffn);
  return out;
}

function fold(a, b) {
  const product = a * b;
  return u64(product) ^ (product >> 64n);
}

function avalanche(h) {
  h = u64((h ^ (h >> 37n)) * MX_1);
  return h ^ (h >> 32n);
}

function avalancheXXH64(h) {
  h = u64((h ^ (h >> 33n)) * P64_2);
  h = u64((h ^ (h >> 29n)) * P64_3);
  return h ^ (h >> 32n);
}

function upTo16(input, length, seed) {
  const secret = (at) => read64(secretView, at);
  const size = BigInt(length);
  if (length > 8) {
    const low = read64(input, 0) ^ u64((secret(24) ^ secret(32)) + seed);
    const high = read64(input, length - 8) ^ u64((secret(40) ^ secret(48)) - seed);
    return avalanche(u64(size + swap(low, 8n) + high + fold(low, high)));
  }
  if (length >= 4) {
    const flip = u64((secret(8) ^ secret(16)) - (seed ^ (swap(seed & 0xffffffffn, 4n) << 32n)));
    let h = (read32(input, length - 4) + (read32(input, 0) << 32n)) ^ flip;
    h ^= rotl(h, 49n) ^ rotl(h, 24n);
    h = u64(h * MX_2);
    h = u64((h ^ ((h >> 35n) + size)) * MX_2);
    return h ^ (h >> 28n);
  }
  if (length === 0) return avalancheXXH64(seed ^ secret(56) ^ secret(64));
  const [first, middle, last] = [0, length >> 1, length - 1].map((at) => BigInt(input.getUint8(at)));
  const flip = u64((read32(secretView, 0) ^ read32(secretView, 4)) + seed);
  return avalancheXXH64(((first << 16n) | (middle << 24n) | last | (size << 8n)) ^ flip);
}

function mix16(input, at, secretAt, seed) {
  const low = read64(input, at) ^ u64(read64(secretView, secretAt) + seed);
  const high = read64(input, at + 8) ^ u64(read64(secretView, secretAt + 8) - seed);
  return fold(low, high);
}

function upTo128(input, length, seed) {
  let acc = BigInt(length) * P64_1;
  for (let i = Math.floor((length - 1) / 32); i >= 0; i--) {
    acc += mix16(input, 16 * i, 32 * i, seed) + mix16(input, length - 16 * (i + 1), 32 * i + 16, seed);
  }
  return avalanche(u64(acc));
}

function upTo240(input, length, seed) {
  let acc = BigInt(length) * P64_1;
  for (let i = 0; i < 8; i++) acc += mix16(input, 16 * i, 16 * i, seed);
  acc = avalanche(u64(acc));
  for (let i = 8; i < Math.floor(length / 16); i++) acc += mix16(input, 16 * i, 16 * (i - 8) + 3, seed);
  return avalanche(u64(acc + mix16(input, length - 16, 119, seed)));
}

function seededSecret(seed) {
  const view = viewOf(new Uint8Array(SECRET.length));
  for (let at = 0; at < SECRET.length; at += 16) {
    view.setBigUint64(at, u64(read64(secretView, at) + seed), true);
    view.setBigUint64(at + 8, u64(read64(secretView, at + 8) - seed), true);
  }
  return view;
}

function accumulate(acc, input, at, secret, secretAt) {
  for (let i = 0; i < 8; i++) {
    const value = read64(input, at + 8 * i);
    const keyed = value ^ read64(secret, secretAt + 8 * i);
    acc[i ^ 1] = u64(acc[i ^ 1] + value);
    acc[i] = u64(acc[i] + (keyed & 0xffffffffn) * (keyed >> 32n));
  }
}

function long(input, length, seed) {
  const secret = seededSecret(seed);
  const acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1];
  const stripes = Math.floor((length - 1) / STRIPE);
  for (let n = 0; n < stripes; n++) {
    accumulate(acc, input, STRIPE * n, secret, 8 * (n % STRIPES_PER_BLOCK));
    if (n % STRIPES_PER_BLOCK !== STRIPES_PER_BLOCK - 1) continue;
    for (let i = 0; i < 8; i++) {
      acc[i] = u64((acc[i] ^ (acc[i] >> 47n) ^ read64(secret, SECRET.length - STRIPE + 8 * i)) * P32_1);
    }
  }
  accumulate(acc, input, length - STRIPE, secret, SECRET.length - STRIPE - 7);
  let result = BigInt(length) * P64_1;
  for (let i = 0; i < 4; i++) {
    result += fold(acc[2 * i] ^ read64(secret, 11 + 16 * i), acc[2 * i + 1] ^ read64(secret, 19 + 16 * i));
  }
  return avalanche(u64(result));
}

/** xxh3 is XXH3-64 of bytes with a seed. */
export function xxh3(bytes, seed = 0n) {
  const input = viewOf(bytes);
  const { length } = bytes;
  if (length <= 16) return upTo16(input, length, seed);
  if (length <= 128) return upTo128(input, length, seed);
  if (length <= 240) return upTo240(input, length, seed);
  return long(input, length, seed);
}
