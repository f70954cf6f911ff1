/* The probe in C; see ../go/main.go. */
#include "ingot.h"

INGOT_DESCRIBE("{\"name\":\"probe\",\"description\":\"Uses one function of the host.\",\"inputSchema\":{\"type\":\"object\"}}")

static struct ingot_text text_of(struct ingot_json args, const char *name)
{
    struct ingot_text t = ingot_string(ingot_member(args, name));
    return t.at ? t : ingot_str("");
}

static void put_text(struct ingot_out *out, const char *name, struct ingot_text t)
{
    ingot_put(out, out->size > 1 ? "," : "");
    ingot_put_string(out, name, ingot_length(name));
    ingot_put(out, ":");
    ingot_put_string(out, t.at, t.size);
}

static void put_int(struct ingot_out *out, const char *name, int64_t n)
{
    ingot_put(out, out->size > 1 ? "," : "");
    ingot_put_string(out, name, ingot_length(name));
    ingot_put(out, ":");
    ingot_put_int(out, n);
}

/* http makes a request; it says whether it failed. */
static int http(struct ingot_json args, int64_t millis, struct ingot_out *out)
{
    struct ingot_text method = text_of(args, "method");
    char *name = ingot_alloc(method.size + 1);
    __builtin_memcpy(name, method.at, method.size);
    name[method.size] = 0;
    struct ingot_http_reply h = ingot_http(method.size ? name : "GET", text_of(args, "url"), "{\"X-Said\":\"hi\"}", text_of(args, "value"), millis);
    if (h.reply.code != INGOT_OK)
        return ingot_fail_reply(out, h.reply);
    put_int(out, "status", h.status);
    put_text(out, "value", h.body);
    put_text(out, "seen", text_of(h.headers, "x-seen"));
    ingot_put(out, "}");
    return 0;
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text op = text_of(args, "op"), key = text_of(args, "key"), value = text_of(args, "value"), one;
    int64_t if_version = INGOT_ALWAYS, millis = 0, n = 0, sum = 0;
    uint64_t version = 0;
    struct ingot_reply r = {INGOT_OK, {NULL, 0}};
    ingot_int(ingot_member(args, "ifVersion"), &if_version);
    ingot_int(ingot_member(args, "millis"), &millis);
    ingot_int(ingot_member(args, "n"), &n);
    ingot_put(out, "{");
    if (ingot_same(op, "http"))
        return http(args, millis, out);
    if (ingot_same(op, "get"))
        r = ingot_state_get(key, &version);
    else if (ingot_same(op, "set"))
        r = ingot_state_set(key, value, millis, if_version, &version);
    else if (ingot_same(op, "delete"))
        r = ingot_state_delete(key, if_version);
    else if (ingot_same(op, "increment"))
        r = ingot_state_increment(key, n, millis, &sum);
    else if (ingot_same(op, "list"))
        r = ingot_state_list(key, text_of(args, "after"), (int32_t)n);
    if (r.code != INGOT_OK)
        return ingot_fail_reply(out, r);
    if (ingot_same(op, "get"))
        put_text(out, "value", r.text);
    if (version)
        put_int(out, "version", (int64_t)version);
    if (sum)
        put_int(out, "sum", sum);
    if (ingot_same(op, "list")) {
        ingot_put(out, "\"keys\":[");
        for (int i = 0; ingot_state_next(&r.text, &one); i++) {
            ingot_put(out, i ? "," : "");
            ingot_put_string(out, one.at, one.size);
        }
        ingot_put(out, "]");
    }
    if (ingot_same(op, "progress")) {
        ingot_progress(1, 2, "half");
        ingot_progress(2, 2, "");
    }
    if (ingot_same(op, "log")) {
        ingot_log(INGOT_DEBUG, "at debug");
        ingot_log(INGOT_INFO, "at info");
        ingot_log(INGOT_WARN, "at warn");
        ingot_log(INGOT_ERROR, "at error");
    }
    ingot_put(out, "}");
    return 0;
}
