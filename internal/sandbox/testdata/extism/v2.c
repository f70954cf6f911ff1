/* v2: an Extism plug-in with the exports of version 2 that does, by the name of the
 * tool, what the tests want to see done. */
#define INGOT_NO_EXPORTS
#include "extism.h"

INGOT_IMPORT("extism:host/user", "notify_progress") void notify_progress(uint64_t at);
INGOT_IMPORT("extism:host/user", "notify_logging_message") void notify_logging_message(uint64_t at);

#define TOOL(name) "{\"name\":\"" name "\",\"description\":\"Does " name ".\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":null}"

/* Two pages of tools. */
INGOT_EXPORT(list_tools) int32_t list_tools(void)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_json request = ingot_member(read_input(), "request");
    if (ingot_same(ingot_string(ingot_member(request, "cursor")), "2"))
        ingot_put(&out, "{\"tools\":[" TOOL("shape") "," TOOL("trouble") "]}");
    else
        ingot_put(&out, "{\"tools\":[" TOOL("echo") "," TOOL("host") "," TOOL("fetch") "],\"nextCursor\":\"2\"}");
    return answer(&out);
}

static void put_text_content(struct ingot_out *out, struct ingot_text text)
{
    ingot_put(out, "{\"content\":[{\"type\":\"text\",\"text\":");
    ingot_put_string(out, text.at, text.size);
    ingot_put(out, "}]}");
}

/* host uses every function but HTTP's. */
static int32_t host(struct ingot_json args)
{
    struct ingot_out out = {NULL, 0, 0};
    log_trace(put(ingot_str("at trace")));
    log_debug(put(ingot_str("at debug")));
    log_info(put(ingot_str("at info")));
    log_warn(put(ingot_str("at warn")));
    log_error(put(ingot_str("at error")));
    notify_logging_message(put(ingot_str("{\"level\":\"warning\",\"data\":\"notified\",\"logger\":\"x\"}")));
    notify_progress(put(ingot_str("{\"progress\":1,\"total\":2,\"message\":\"half\",\"progressToken\":0}")));
    ingot_put(&out, "{\"content\":[],\"structuredContent\":{\"level\":");
    ingot_put_uint(&out, get_log_level());
    ingot_put(&out, ",\"config\":");
    uint64_t key = put(ingot_string(ingot_member(args, "key")));
    uint64_t value = config_get(key);
    if (value) {
        struct ingot_text text = fetch(value);
        ingot_put_string(&out, text.at, text.size);
    } else {
        ingot_put(&out, "null");
    }
    extism_free(key); /* once more than needed */
    ingot_put(&out, ",\"input\":");
    ingot_put_uint(&out, extism_length(input_offset()) == input_length() && load_u8(input_offset()) == '{');
    uint64_t block = extism_alloc(3);
    ingot_put(&out, ",\"length\":");
    ingot_put_uint(&out, extism_length(block) * 10 + extism_length_unsafe(block));
    extism_free(block);
    ingot_put(&out, ",\"freed\":");
    ingot_put_uint(&out, extism_length(block) + extism_alloc(0) + load_u64(1ull << 40));
    uint64_t seen = var_get(put(ingot_str("seen")));
    ingot_put(&out, ",\"var\":");
    ingot_put_uint(&out, seen ? load_u64(seen) : 0);
    if (ingot_member(args, "forget").at) {
        var_set(put(ingot_str("seen")), 0);
    } else {
        uint64_t next = extism_alloc(8);
        store_u64(next, (seen ? load_u64(seen) : 0) + 1);
        var_set(put(ingot_str("seen")), next);
    }
    ingot_put(&out, "}}");
    return answer(&out);
}

static int32_t do_fetch(struct ingot_json args)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_json head = ingot_member(args, "request");
    struct ingot_text body = ingot_string(ingot_member(args, "body"));
    uint64_t at = http_request(put((struct ingot_text){head.at, (uint32_t)(head.end - head.at)}), body.at ? put(body) : 0);
    struct ingot_text got = fetch(at);
    ingot_put(&out, "{\"content\":[{\"type\":\"text\",\"text\":");
    ingot_put_string(&out, got.at, got.size);
    ingot_put(&out, "}],\"structuredContent\":{\"status\":");
    ingot_put_uint(&out, http_status_code());
    ingot_put(&out, ",\"headers\":");
    struct ingot_text headers = fetch(http_headers());
    ingot_put_bytes(&out, headers.at, headers.size);
    ingot_put(&out, "}}");
    return answer(&out);
}

/* trouble does what a plug-in must not. */
static int32_t trouble(struct ingot_text mode)
{
    struct ingot_out out = {NULL, 0, 0};
    if (ingot_same(mode, "silent"))
        return -1;
    if (ingot_same(mode, "nothing"))
        return 0;
    if (ingot_same(mode, "outside"))
        output_set(8, 1ull << 40);
    if (ingot_same(mode, "handle"))
        config_get(12345);
    if (ingot_same(mode, "bomb"))
        for (;;)
            extism_alloc(1 << 20);
    if (ingot_same(mode, "blocks"))
        for (;;)
            extism_alloc(1);
    if (ingot_same(mode, "vars"))
        for (uint64_t i = 0;; i++) {
            uint64_t key = extism_alloc(8);
            store_u64(key, i);
            var_set(key, extism_alloc(100000));
        }
    if (ingot_same(mode, "spin"))
        for (;;)
            log_trace(put(ingot_str("again")));
    put_text_content(&out, mode);
    return answer(&out);
}

INGOT_EXPORT(call_tool) int32_t call_tool(void)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_json request = ingot_member(read_input(), "request");
    struct ingot_text name = ingot_string(ingot_member(request, "name"));
    struct ingot_json args = ingot_member(request, "arguments");
    if (ingot_same(name, "host"))
        return host(args);
    if (ingot_same(name, "fetch"))
        return do_fetch(args);
    if (ingot_same(name, "trouble"))
        return trouble(ingot_string(ingot_member(args, "mode")));
    if (ingot_same(name, "shape")) { /* whatever the test writes */
        struct ingot_text raw = ingot_string(ingot_member(args, "raw"));
        ingot_put_bytes(&out, raw.at, raw.size);
        return answer(&out);
    }
    put_text_content(&out, ingot_string(ingot_member(args, "text")));
    return answer(&out);
}

INGOT_EXPORT(list_resources) int32_t list_resources(void)
{
    struct ingot_out out = {NULL, 0, 0};
    ingot_put(&out, "{\"resources\":[{\"uri\":\"test://one\",\"name\":\"one\"}]}");
    return answer(&out);
}

INGOT_EXPORT(read_resource) int32_t read_resource(void)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_text uri = ingot_string(ingot_member(ingot_member(read_input(), "request"), "uri"));
    if (!ingot_same(uri, "test://one"))
        return fail("there is no such resource");
    ingot_put(&out, "{\"contents\":[{\"uri\":\"test://one\",\"text\":\"the first\"}]}");
    return answer(&out);
}

INGOT_EXPORT(list_prompts) int32_t list_prompts(void)
{
    struct ingot_out out = {NULL, 0, 0};
    ingot_put(&out, "{\"prompts\":[{\"name\":\"greet\",\"arguments\":[{\"name\":\"who\",\"required\":true}]}]}");
    return answer(&out);
}

INGOT_EXPORT(get_prompt) int32_t get_prompt(void)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_json request = ingot_member(read_input(), "request");
    struct ingot_text who = ingot_string(ingot_member(ingot_member(request, "arguments"), "who"));
    ingot_put(&out, "{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":");
    ingot_put_string(&out, who.at, who.size);
    ingot_put(&out, "}}]}");
    return answer(&out);
}

INGOT_EXPORT(complete) int32_t complete(void)
{
    struct ingot_out out = {NULL, 0, 0};
    struct ingot_json ref = ingot_member(ingot_member(read_input(), "request"), "ref");
    if (ingot_same(ingot_string(ingot_member(ref, "type")), "prompt"))
        ingot_put(&out, "{\"completion\":{\"values\":[\"Ada\"],\"hasMore\":false}}");
    else
        ingot_put(&out, "{\"completion\":{\"values\":[\"one\",7]}}"); /* 7 is no string */
    return answer(&out);
}
