/* sha256: a tool that hashes text or bytes with SHA-256.
 *
 *   in:  {"text":"…"} or {"base64":"…"}
 *   out: {"algorithm":"sha-256","hex":"…","bytes":N}
 *
 * The hash is written from its standard, FIPS 180-4 (sections 4.1.2, 4.2.2,
 * 5.1.1, 5.3.3 and 6.2).
 */
#include "ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"sha256\",\"title\":\"SHA-256\","
    "\"description\":\"Computes the SHA-256 digest of a text (as UTF-8) or of bytes given as base64, in lower-case hex.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"text\":{\"type\":\"string\",\"description\":\"the text to hash\"},"
    "\"base64\":{\"type\":\"string\",\"description\":\"the bytes to hash, in standard base64 with padding\"}},"
    "\"minProperties\":1,\"maxProperties\":1,\"additionalProperties\":false},"
    "\"outputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"algorithm\":{\"const\":\"sha-256\"},"
    "\"hex\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"},"
    "\"bytes\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"how many bytes were hashed\"}},"
    "\"required\":[\"algorithm\",\"hex\",\"bytes\"],\"additionalProperties\":false},"
    "\"annotations\":{\"readOnlyHint\":true,\"idempotentHint\":true,\"openWorldHint\":false}}")

/* The first 32 bits of the fractional parts of the cube roots of the first 64
 * primes: FIPS 180-4, 4.2.2. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* compress mixes one block of 64 bytes into the state. */
static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* sha256 writes the digest of size bytes. */
static void sha256(const uint8_t *at, uint32_t size, uint8_t digest[32])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint32_t left = size;
    for (; left >= 64; left -= 64, at += 64)
        compress(state, at);
    uint8_t last[128] = {0};
    __builtin_memcpy(last, at, left);
    last[left] = 0x80;
    uint32_t blocks = left < 56 ? 1 : 2;
    uint64_t bits = (uint64_t)size * 8;
    for (uint32_t i = 0; i < 8; i++)
        last[blocks * 64 - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (uint32_t i = 0; i < blocks; i++)
        compress(state, last + 64 * i);
    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

/* base64_decode decodes strictly (RFC 4648, section 4: padding, no line breaks,
 * unused bits zero); at is NULL when text is not that. */
static struct ingot_text base64_decode(struct ingot_text text)
{
    struct ingot_text none = {NULL, 0};
    if (text.size % 4 != 0)
        return none;
    uint32_t pad = 0;
    while (pad < 2 && pad < text.size && text.at[text.size - 1 - pad] == '=')
        pad++;
    char *start = ingot_alloc(text.size / 4 * 3 + 1), *to = start;
    for (uint32_t i = 0; i < text.size; i += 4) {
        uint32_t group = 0, skip = i + 4 == text.size ? pad : 0;
        for (uint32_t j = 0; j < 4; j++) {
            int v = j >= 4 - skip ? 0 : base64_value(text.at[i + j]);
            if (v < 0)
                return none;
            group = group << 6 | (uint32_t)v;
        }
        if (group & ((1u << (8 * skip)) - 1))
            return none;
        for (uint32_t j = 0; j < 3 - skip; j++)
            *to++ = (char)(group >> (16 - 8 * j));
    }
    return (struct ingot_text){start, (uint32_t)(to - start)};
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text bytes = ingot_string(ingot_member(args, "text"));
    if (!bytes.at) {
        struct ingot_text encoded = ingot_string(ingot_member(args, "base64"));
        if (!encoded.at)
            return ingot_fail(out, "give either text or base64", "missing_argument");
        bytes = base64_decode(encoded);
        if (!bytes.at)
            return ingot_fail(out, "base64 is not standard base64 with padding: send the alphabet A-Z a-z 0-9 + / in groups of four, ended by =", "bad_base64");
    }
    uint8_t digest[32];
    sha256((const uint8_t *)bytes.at, bytes.size, digest);
    static const char digits[] = "0123456789abcdef";
    char hex[64];
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ingot_put(out, "{\"algorithm\":\"sha-256\",\"hex\":");
    ingot_put_string(out, hex, sizeof hex);
    ingot_put(out, ",\"bytes\":");
    ingot_put_uint(out, bytes.size);
    ingot_put(out, "}");
    return 0;
}
