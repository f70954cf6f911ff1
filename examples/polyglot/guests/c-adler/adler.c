/* c_adler32: the checksum of RFC 1950 of a text. */
#include "../../../../guest/c/ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"c_adler32\","
    "\"description\":\"The Adler-32 checksum of a text's UTF-8 bytes.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"text\":{\"type\":\"string\",\"description\":\"the text\",\"maxLength\":100000}},"
    "\"required\":[\"text\"],\"additionalProperties\":false},"
    "\"outputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"hex\":{\"type\":\"string\",\"description\":\"eight hexadecimal digits\"}},"
    "\"required\":[\"hex\"],\"additionalProperties\":false},"
    "\"annotations\":{\"readOnlyHint\":true,\"idempotentHint\":true,\"openWorldHint\":false}}")

/* adler32 is two sums modulo 65521, the largest prime below 2^16 (RFC 1950, section 8.2). */
static uint32_t adler32(const char *at, uint32_t size)
{
    uint32_t a = 1, b = 0;
    for (uint32_t i = 0; i < size; i++) {
        a = (a + (unsigned char)at[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text text = ingot_string(ingot_member(args, "text"));
    if (!text.at)
        return ingot_fail(out, "text is missing, or is not a string", "bad_arguments");
    uint32_t sum = adler32(text.at, text.size);
    char digits[9] = {0};
    for (int i = 0; i < 8; i++)
        digits[i] = "0123456789abcdef"[sum >> (28 - 4 * i) & 15];
    ingot_put(out, "{\"hex\":\"");
    ingot_put(out, digits);
    ingot_put(out, "\"}");
    return 0;
}
