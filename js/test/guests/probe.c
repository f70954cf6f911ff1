/* probe tries what a host offers and what it must refuse: {"do": …} says what.
 * Built by the Makefile beside it. */
#include "ingot.h"

INGOT_IMPORT("wasi_snapshot_preview1", "clock_time_get") int32_t wasi_clock(int32_t id, int64_t precision, uint64_t *out);
INGOT_IMPORT("wasi_snapshot_preview1", "random_get") int32_t wasi_random(unsigned char *at, uint32_t size);
INGOT_IMPORT("wasi_snapshot_preview1", "environ_sizes_get") int32_t wasi_environ_sizes(uint32_t *count, uint32_t *size);
INGOT_IMPORT("wasi_snapshot_preview1", "environ_get") int32_t wasi_environ(char **at, char *buffer);
INGOT_IMPORT("wasi_snapshot_preview1", "fd_write") int32_t wasi_write(int32_t fd, const struct ingot_text *vectors, int32_t count, uint32_t *out);
INGOT_IMPORT("wasi_snapshot_preview1", "path_open")
int32_t wasi_open(int32_t fd, int32_t look, const char *at, uint32_t size, int32_t flags, int64_t rights, int64_t inherited, int32_t fdflags, int32_t *out);
INGOT_IMPORT("wasi_snapshot_preview1", "proc_exit") void wasi_exit(int32_t status);

INGOT_DESCRIBE("{\"name\":\"probe\",\"description\":\"Tries what a host offers.\",\"inputSchema\":{\"type\":\"object\"}}")

static uint32_t kept; /* must be 0 at the start of each call */

static void put_name(struct ingot_out *out, const char *name)
{
    ingot_put(out, "{\"");
    ingot_put(out, name);
    ingot_put(out, "\":");
}

static int put_text(struct ingot_out *out, const char *name, struct ingot_text t)
{
    put_name(out, name);
    ingot_put_string(out, t.at, t.size);
    ingot_put(out, "}");
    return 0;
}

static int put_number(struct ingot_out *out, const char *name, int64_t n)
{
    put_name(out, name);
    ingot_put_int(out, n);
    ingot_put(out, "}");
    return 0;
}

static int keep_calling(int depth)
{
    volatile char used[64];
    used[depth & 63] = (char)depth;
    return keep_calling(depth + 1) + used[0];
}

static int state(const char *act, struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text key = ingot_string(ingot_member(args, "key")), value = ingot_string(ingot_member(args, "value"));
    struct ingot_reply r = {0};
    int64_t number = INGOT_ALWAYS, ttl = 0, delta = 1;
    uint64_t version = 0;
    ingot_int(ingot_member(args, "ifVersion"), &number);
    ingot_int(ingot_member(args, "ttl"), &ttl);
    ingot_int(ingot_member(args, "delta"), &delta);
    switch (*act) {
    case 'g': r = ingot_state_get(key, &version); break;
    case 's': r = ingot_state_set(key, value, ttl, number, &version); break;
    case 'd': r = ingot_state_delete(key, number); break;
    case 'i': r = ingot_state_increment(key, delta, ttl, &number); break;
    case 'l': r = ingot_state_list(key, value, 10); break;
    }
    if (r.code != INGOT_OK)
        return ingot_fail_reply(out, r);
    if (*act == 'i')
        return put_number(out, "sum", number);
    if (*act == 's' || *act == 'd')
        return put_number(out, "version", (int64_t)version);
    if (*act == 'g')
        return put_text(out, "value", r.text);
    struct ingot_text found;
    const char *comma = "";
    put_name(out, "keys");
    ingot_put(out, "[");
    while (ingot_state_next(&r.text, &found)) {
        ingot_put(out, comma);
        ingot_put_string(out, found.at, found.size);
        comma = ",";
    }
    ingot_put(out, "]}");
    return 0;
}

static int http(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text method = ingot_string(ingot_member(args, "method")), headers = ingot_string(ingot_member(args, "headers"));
    char *name = ingot_alloc(method.size + 1), *lines = ingot_alloc(headers.size + 1);
    __builtin_memcpy(name, method.at, method.size);
    name[method.size] = 0;
    __builtin_memcpy(lines, headers.at, headers.size);
    lines[headers.size] = 0;
    struct ingot_http_reply h = ingot_http(name, ingot_string(ingot_member(args, "url")), headers.size ? lines : NULL, ingot_string(ingot_member(args, "body")), 2000);
    if (h.reply.code != INGOT_OK)
        return ingot_fail_reply(out, h.reply);
    put_name(out, "status");
    ingot_put_int(out, h.status);
    ingot_put(out, ",\"body\":");
    ingot_put_string(out, h.body.at, h.body.size);
    ingot_put(out, "}");
    return 0;
}

static int world(struct ingot_text act, struct ingot_json args, struct ingot_out *out)
{
    if (ingot_same(act, "clock")) {
        uint64_t first, second;
        wasi_clock(0, 1, &first);
        wasi_clock(0, 1, &second);
        put_name(out, "first");
        ingot_put_uint(out, first);
        ingot_put(out, ",\"step\":");
        ingot_put_uint(out, second - first);
        ingot_put(out, "}");
        return 0;
    }
    if (ingot_same(act, "random")) {
        unsigned char bytes[8];
        wasi_random(bytes, sizeof bytes);
        uint64_t n = 0;
        for (int i = 0; i < 6; i++)
            n = n << 8 | bytes[i];
        return put_number(out, "number", (int64_t)n);
    }
    if (ingot_same(act, "env")) {
        uint32_t count, size;
        wasi_environ_sizes(&count, &size);
        char **at = ingot_alloc(count * 4), *buffer = ingot_alloc(size);
        wasi_environ(at, buffer);
        return put_text(out, "env", (struct ingot_text){buffer, size ? size - 1 : 0});
    }
    if (ingot_same(act, "print")) {
        struct ingot_text line = ingot_string(ingot_member(args, "value"));
        uint32_t written;
        return put_number(out, "errno", wasi_write(2, &line, 1, &written));
    }
    if (ingot_same(act, "open")) {
        int32_t fd = -1;
        return put_number(out, "errno", wasi_open(3, 0, "etc", 3, 0, 0, 0, 0, &fd));
    }
    wasi_exit(7);
    return 0;
}

static int hostile(struct ingot_text act, struct ingot_json args, struct ingot_out *out)
{
    if (ingot_same(act, "spin"))
        for (volatile int i = 0;; i++)
            ;
    if (ingot_same(act, "recurse"))
        return put_number(out, "depth", keep_calling(0));
    if (ingot_same(act, "fill")) {
        for (;;)
            __builtin_memset(ingot_alloc(0) + 0, 7, 60000);
    }
    if (ingot_same(act, "grow")) {
        while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1)
            ;
        __builtin_trap();
    }
    if (ingot_same(act, "grow-once"))
        return put_number(out, "pages", (int64_t)__builtin_wasm_memory_grow(0, 1));
    if (ingot_same(act, "trap"))
        __builtin_trap();
    if (ingot_same(act, "flood")) {
        for (int i = 0; i < 200000; i++)
            ingot_put(out, "0123456789");
        return 0;
    }
    if (ingot_same(act, "shout")) {
        for (int i = 0; i < 1000; i++)
            ingot_log(INGOT_WARN, "again");
        return put_number(out, "lines", 1000);
    }
    if (ingot_same(act, "outside"))
        ingot_host_log(1, (const char *)(uintptr_t)0xfffffff0u, 64);
    if (ingot_same(act, "lie")) {
        out->at = (char *)(uintptr_t)0x7ffffff0u;
        out->size = 100;
        return 0;
    }
    if (ingot_same(act, "nonsense")) {
        ingot_put(out, "[1,2");
        return 0;
    }
    if (ingot_same(act, "keep"))
        return put_number(out, "kept", kept++);
    if (ingot_same(act, "progress")) {
        ingot_progress(1, 2, "half");
        ingot_progress(2, 2, "done");
        return put_number(out, "reports", 2);
    }
    if (ingot_same(act, "log")) {
        struct ingot_text line = ingot_string(ingot_member(args, "value"));
        ingot_host_log(INGOT_ERROR, line.at, line.size);
        return put_number(out, "logged", line.size);
    }
    return ingot_fail(out, "there is nothing of that name to do", "unknown");
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text act = ingot_string(ingot_member(args, "do"));
    if (act.size > 6 && act.at[5] == '-' && act.at[0] == 's')
        return state(act.at + 6, args, out); /* state-get and so on */
    if (ingot_same(act, "http"))
        return http(args, out);
    static const char *const outside[] = {"clock", "random", "env", "print", "open", "exit"};
    for (unsigned i = 0; i < sizeof outside / sizeof *outside; i++)
        if (ingot_same(act, outside[i]))
            return world(act, args, out);
    return hostile(act, args, out);
}
