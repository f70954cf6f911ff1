/* v1: an Extism plug-in with the exports describe and call. Its one tool counts the
 * vowels of a text, and all it ever counted in a variable. */
#define INGOT_NO_EXPORTS
#include "extism.h"

INGOT_EXPORT(describe) int32_t describe(void)
{
    struct ingot_out out = {NULL, 0, 0};
    ingot_put(&out, "{\"tools\":[{\"name\":\"vowels\",\"description\":\"Counts the vowels of a text.\","
                    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]},"
                    "\"somethingNew\":true}]}");
    return answer(&out);
}

INGOT_EXPORT(call) int32_t call(void)
{
    struct ingot_json params = ingot_member(read_input(), "params");
    if (!ingot_same(ingot_string(ingot_member(params, "name")), "vowels"))
        return fail("there is no such tool");
    struct ingot_text text = ingot_string(ingot_member(ingot_member(params, "arguments"), "text"));
    if (!text.at)
        return fail("text is missing");
    uint64_t vowels = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.at[i] | 32;
        vowels += c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
    }
    uint64_t had = var_get(put(ingot_str("total"))), total = had ? load_u64(had) : 0;
    uint64_t now = extism_alloc(8);
    store_u64(now, total + vowels);
    var_set(put(ingot_str("total")), now);
    struct ingot_out out = {NULL, 0, 0};
    ingot_put(&out, "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"vowels\\\":");
    ingot_put_uint(&out, vowels);
    ingot_put(&out, ",\\\"total\\\":");
    ingot_put_uint(&out, total + vowels);
    ingot_put(&out, "}\"}]}");
    return answer(&out);
}
