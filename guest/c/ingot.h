/* ingot.h: write an ingot tool in C, with nothing but this header.
 *
 * A tool is one .c file that includes this header once and has
 *
 *     INGOT_DESCRIBE("{\"name\":\"shout\",\"description\":\"…\",\"inputSchema\":{\"type\":\"object\",…}}")
 *
 *     static int ingot_tool(struct ingot_json args, struct ingot_out *out)
 *     {
 *         struct ingot_text text = ingot_string(ingot_member(args, "text"));
 *         if (!text.at)
 *             return ingot_fail(out, "text is missing", "missing_argument");
 *         ingot_put(out, "{\"upper\":");
 *         …
 *         return 0;
 *     }
 *
 * and is built by
 *
 *     clang --target=wasm32 -ffreestanding -mbulk-memory -O2 -nostdlib \
 *           -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=65536 \
 *           -I guest/c -o tool.wasm tool.c
 *
 * docs/ABI.md specifies what happens underneath.
 *
 * ingot_log writes to the host's log, ingot_progress tells the caller how far the
 * call is, and ingot_state_get and its kin and ingot_http reach what the policy
 * grants. Only what a tool uses becomes an import of its module.
 *
 * Caveats. Memory that ingot_alloc gives lasts to the end of the call: the next
 * one, if the instance serves one, takes it again. The readers trust that args is
 * valid JSON, which the host has checked. ingot_int reads whole numbers only. A
 * failed allocation traps, which the host reports as its memory limit.
 */
#ifndef INGOT_H
#define INGOT_H

#include <stddef.h>
#include <stdint.h>

#define INGOT_EXPORT(name) __attribute__((export_name(#name), used))
#define INGOT_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

/* Levels of ingot_log. */
enum { INGOT_DEBUG, INGOT_INFO, INGOT_WARN, INGOT_ERROR };

INGOT_IMPORT("ingot", "log") void ingot_host_log(int32_t level, const char *at, uint32_t size);
INGOT_IMPORT("ingot", "progress") void ingot_host_progress(double progress, double total, const char *at, uint32_t size);
INGOT_IMPORT("ingot", "reply") void ingot_host_reply(char *to);
INGOT_IMPORT("ingot", "state_get") int64_t ingot_host_state_get(const char *key, uint32_t key_size);
INGOT_IMPORT("ingot", "state_set") int64_t ingot_host_state_set(const char *key, uint32_t key_size, const char *value, uint32_t value_size, int64_t ttl_millis, int64_t if_version);
INGOT_IMPORT("ingot", "state_delete") int64_t ingot_host_state_delete(const char *key, uint32_t key_size, int64_t if_version);
INGOT_IMPORT("ingot", "state_increment") int64_t ingot_host_state_increment(const char *key, uint32_t key_size, int64_t delta, int64_t ttl_millis);
INGOT_IMPORT("ingot", "state_list") int64_t ingot_host_state_list(const char *prefix, uint32_t prefix_size, const char *after, uint32_t after_size, int32_t limit);
INGOT_IMPORT("ingot", "http_request") int64_t ingot_host_http_request(const char *head, uint32_t head_size, const char *body, uint32_t body_size);

/* ---- memory ---- */

extern unsigned char __heap_base; /* set by wasm-ld: the first byte after data and stack */

static uint32_t ingot_heap; /* the first free byte; 0 before the first use */

/* ingot_end makes memory reach up to end, and says whether it does. */
static int ingot_end(uint64_t end)
{
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
    if (end <= have)
        return 1;
    if (end > UINT32_MAX)
        return 0;
    return __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) != (size_t)-1;
}

/* ingot_try_alloc returns size bytes, aligned to 8, or NULL. */
static void *ingot_try_alloc(uint32_t size)
{
    if (!ingot_heap)
        ingot_heap = (uint32_t)(uintptr_t)&__heap_base;
    uint64_t start = ((uint64_t)ingot_heap + 7) & ~(uint64_t)7, end = start + size;
    if (!ingot_end(end))
        return NULL;
    ingot_heap = (uint32_t)end;
    return (void *)(uintptr_t)start;
}

/* ingot_alloc returns size bytes, aligned to 8; it traps when there are none. */
static void *ingot_alloc(uint32_t size)
{
    void *at = ingot_try_alloc(size);
    if (!at)
        __builtin_trap();
    return at;
}

/* ---- text ---- */

/* ingot_text is a piece of UTF-8; at is NULL when there is none. */
struct ingot_text {
    const char *at;
    uint32_t size;
};

static inline uint32_t ingot_length(const char *s)
{
    uint32_t n = 0;
    while (s[n])
        n++;
    return n;
}

static inline int ingot_same(struct ingot_text t, const char *s)
{
    uint32_t n = 0;
    while (n < t.size && s[n] && s[n] == t.at[n])
        n++;
    return t.at && n == t.size && !s[n];
}

/* ingot_str is a C string as a text. */
static inline struct ingot_text ingot_str(const char *s)
{
    return (struct ingot_text){s, ingot_length(s)};
}

/* ingot_log writes a line to the host's log. */
static inline void ingot_log(int32_t level, const char *line)
{
    ingot_host_log(level, line, ingot_length(line));
}

/* ---- reading JSON ---- */

/* ingot_json is one JSON value where it stands in the input; at is NULL when
 * the value is not there. */
struct ingot_json {
    const char *at, *end;
};

static inline const char *ingot_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* ingot_plain returns the first quote or backslash from p on, or end. It looks at
 * eight bytes at a time; the test for a byte in them is that of
 * https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord. */
static inline const char *ingot_plain(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101, highs = ones << 7;
    for (; end - p >= 8; p += 8) {
        uint64_t x;
        __builtin_memcpy(&x, p, 8);
        uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
        if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs)
            break;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* ingot_skip returns the end of the value that starts at p. */
static inline const char *ingot_skip(const char *p, const char *end)
{
    int depth = 0;
    const char *start = p;
    for (; p < end; p++) {
        if (*p == '"') {
            for (p = ingot_plain(p + 1, end); p < end && *p == '\\';)
                p = ingot_plain(end - p > 2 ? p + 2 : end, end);
            if (p == end)
                return end;
        } else if (*p == '{' || *p == '[') {
            depth++;
            continue;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p; /* the end of what a number or a word stands in */
            depth--;
        } else if (depth == 0 && p > start && (*p == ',' || *p == ':' || *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
            return p;
        } else {
            continue;
        }
        if (depth == 0)
            return p + 1;
    }
    return end;
}

static inline uint32_t ingot_hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

static inline char *ingot_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* ingot_escape decodes the escape after a backslash at *p and moves *p past it. */
static inline char *ingot_escape(char *to, const char **p, const char *end)
{
    char c = *(*p)++;
    switch (c) {
    case 'b': *to++ = '\b'; return to;
    case 'f': *to++ = '\f'; return to;
    case 'n': *to++ = '\n'; return to;
    case 'r': *to++ = '\r'; return to;
    case 't': *to++ = '\t'; return to;
    case 'u': break;
    default: *to++ = c; return to;
    }
    uint32_t u = ingot_hex4(*p);
    *p += 4;
    if (u >= 0xd800 && u < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        uint32_t low = ingot_hex4(*p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            return ingot_utf8(to, 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00));
        }
    }
    if (u >= 0xd800 && u < 0xe000)
        u = 0xfffd; /* half of a pair stands for nothing */
    return ingot_utf8(to, u);
}

/* ingot_string decodes a string value; at is NULL when v is not a string. A
 * string without escapes is not copied. */
static inline struct ingot_text ingot_string(struct ingot_json v)
{
    struct ingot_text none = {NULL, 0};
    if (!v.at || *v.at != '"')
        return none;
    const char *p = v.at + 1, *end = v.end - 1;
    if (ingot_plain(p, end) == end)
        return (struct ingot_text){p, (uint32_t)(end - p)};
    char *start = ingot_alloc((uint32_t)(end - p)), *to = start;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p++;
        to = ingot_escape(to, &p, end);
    }
    return (struct ingot_text){start, (uint32_t)(to - start)};
}

/* ingot_member finds a member of an object by its name. */
static inline struct ingot_json ingot_member(struct ingot_json object, const char *name)
{
    struct ingot_json none = {NULL, NULL};
    if (!object.at || *object.at != '{')
        return none;
    const char *p = ingot_space(object.at + 1, object.end);
    while (p < object.end && *p == '"') {
        struct ingot_json key = {p, ingot_skip(p, object.end)};
        p = ingot_space(key.end, object.end) + 1; /* past the colon */
        p = ingot_space(p, object.end);
        struct ingot_json value = {p, ingot_skip(p, object.end)};
        if (ingot_same(ingot_string(key), name))
            return value;
        p = ingot_space(value.end, object.end);
        if (p < object.end && *p == ',')
            p = ingot_space(p + 1, object.end);
    }
    return none;
}

/* ingot_int reads a whole number into *n; it says whether v is one that fits. */
static inline int ingot_int(struct ingot_json v, int64_t *n)
{
    const char *p = v.at;
    if (!p)
        return 0;
    int negative = *p == '-';
    p += negative;
    uint64_t u = 0;
    if (p == v.end)
        return 0;
    for (; p < v.end; p++) {
        if (*p < '0' || *p > '9' || u > (UINT64_MAX - 9) / 10)
            return 0;
        u = u * 10 + (uint64_t)(*p - '0');
    }
    if (u > (uint64_t)INT64_MAX + (uint64_t)negative)
        return 0;
    *n = negative ? (int64_t)(0 - u) : (int64_t)u;
    return 1;
}

/* ---- writing JSON ---- */

/* ingot_out collects the result. */
struct ingot_out {
    char *at;
    uint32_t size, room;
};

static inline void ingot_put_bytes(struct ingot_out *out, const char *at, uint32_t size)
{
    if (out->room - out->size < size) {
        uint64_t room = ((uint64_t)out->size + size) * 2 + 64;
        if (room > UINT32_MAX)
            __builtin_trap();
        char *grown = ingot_alloc((uint32_t)room);
        __builtin_memcpy(grown, out->at, out->size);
        out->at = grown;
        out->room = (uint32_t)room;
    }
    __builtin_memcpy(out->at + out->size, at, size);
    out->size += size;
}

/* ingot_put adds text as it is: the JSON around the values. */
static inline void ingot_put(struct ingot_out *out, const char *json)
{
    ingot_put_bytes(out, json, ingot_length(json));
}

/* ingot_put_string adds a JSON string, quoted and escaped. */
static inline void ingot_put_string(struct ingot_out *out, const char *at, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    ingot_put_bytes(out, "\"", 1);
    for (uint32_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c == '"' || c == '\\') {
            char two[2] = {'\\', (char)c};
            ingot_put_bytes(out, two, 2);
        } else if (c < 0x20) {
            char six[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            ingot_put_bytes(out, six, 6);
        } else {
            ingot_put_bytes(out, at + i, 1);
        }
    }
    ingot_put_bytes(out, "\"", 1);
}

/* ingot_put_uint adds a number. */
static inline void ingot_put_uint(struct ingot_out *out, uint64_t n)
{
    char text[20];
    uint32_t at = sizeof text;
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    ingot_put_bytes(out, text + at, (uint32_t)sizeof text - at);
}

/* ingot_put_int adds a number that may be negative. */
static inline void ingot_put_int(struct ingot_out *out, int64_t n)
{
    if (n < 0)
        ingot_put_bytes(out, "-", 1);
    ingot_put_uint(out, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

/* ingot_fail makes the result an error for the caller: what is wrong and how to
 * mend it, and a code for programs (may be NULL). Return what it returns. */
static inline int ingot_fail(struct ingot_out *out, const char *message, const char *code)
{
    out->size = 0;
    ingot_put(out, "{\"message\":");
    ingot_put_string(out, message, ingot_length(message));
    if (code) {
        ingot_put(out, ",\"code\":");
        ingot_put_string(out, code, ingot_length(code));
    }
    ingot_put(out, "}");
    return 1;
}

/* ---- what the host does: state and HTTP ---- */

/* The codes of a reply. */
enum { INGOT_OK, INGOT_NOT_FOUND, INGOT_DENIED, INGOT_LIMIT, INGOT_INVALID, INGOT_CONFLICT, INGOT_UNAVAILABLE, INGOT_TIMEOUT };

/* Values of if_version that are no version. */
enum { INGOT_ALWAYS = -1, INGOT_IF_ABSENT = 0 };

/* ingot_reply is what a function of the host answered: with INGOT_OK what was
 * asked for, with any other code a message that says what is wrong. */
struct ingot_reply {
    uint32_t code;
    struct ingot_text text;
};

static inline struct ingot_reply ingot_answer(int64_t packed)
{
    uint32_t size = (uint32_t)packed;
    char *at = ingot_alloc(size);
    if (size)
        ingot_host_reply(at);
    return (struct ingot_reply){(uint32_t)((uint64_t)packed >> 32), {at, size}};
}

/* ingot_fail_reply makes the result the host's own error: its message and code.
 * Return what it returns. */
static inline int ingot_fail_reply(struct ingot_out *out, struct ingot_reply r)
{
    static const char *const names[] = {"ok", "not_found", "denied", "limit", "invalid", "conflict", "unavailable", "timeout"};
    char *message = ingot_alloc(r.text.size + 1);
    __builtin_memcpy(message, r.text.at, r.text.size);
    message[r.text.size] = 0;
    return ingot_fail(out, r.text.size ? message : "the host gave no reason", r.code < 8 ? names[r.code] : "unavailable");
}

/* ingot_take cuts the first size bytes off a text; at is NULL when it is shorter. */
static inline struct ingot_text ingot_take(struct ingot_text *t, uint32_t size)
{
    struct ingot_text head = {NULL, 0};
    if (t->size < size)
        return head;
    head = (struct ingot_text){t->at, size};
    t->at += size;
    t->size -= size;
    return head;
}

/* ingot_take_number cuts a little-endian number of size bytes off a text; it is
 * 0 when the text is shorter. */
static inline uint64_t ingot_take_number(struct ingot_text *t, uint32_t size)
{
    uint64_t n = 0;
    struct ingot_text bytes = ingot_take(t, size);
    for (uint32_t i = bytes.size; i > 0; i--)
        n = n << 8 | (unsigned char)bytes.at[i - 1];
    return n;
}

/* ingot_state_get reads a key: the reply is the value, *version (may be NULL) its
 * version. Keys are whole: the prefix that the policy grants is part of them. */
static inline struct ingot_reply ingot_state_get(struct ingot_text key, uint64_t *version)
{
    struct ingot_reply r = ingot_answer(ingot_host_state_get(key.at, key.size));
    if (r.code == INGOT_OK) {
        uint64_t v = ingot_take_number(&r.text, 8);
        if (version)
            *version = v;
    }
    return r;
}

/* ingot_state_set writes a key; it lives for ttl_millis, 0 is for good. if_version
 * is INGOT_ALWAYS, INGOT_IF_ABSENT or the version that the key must be at.
 * *version (may be NULL) is the new version. */
static inline struct ingot_reply ingot_state_set(struct ingot_text key, struct ingot_text value, int64_t ttl_millis, int64_t if_version, uint64_t *version)
{
    struct ingot_reply r = ingot_answer(ingot_host_state_set(key.at, key.size, value.at, value.size, ttl_millis, if_version));
    if (r.code == INGOT_OK) {
        uint64_t v = ingot_take_number(&r.text, 8);
        if (version)
            *version = v;
    }
    return r;
}

/* ingot_state_delete removes a key; if_version is INGOT_ALWAYS or a version. */
static inline struct ingot_reply ingot_state_delete(struct ingot_text key, int64_t if_version)
{
    return ingot_answer(ingot_host_state_delete(key.at, key.size, if_version));
}

/* ingot_state_increment adds to a decimal number, *sum (may be NULL) is the sum. An
 * absent key counts as 0, and lives for ttl_millis, 0 is for good. */
static inline struct ingot_reply ingot_state_increment(struct ingot_text key, int64_t delta, int64_t ttl_millis, int64_t *sum)
{
    struct ingot_reply r = ingot_answer(ingot_host_state_increment(key.at, key.size, delta, ttl_millis));
    if (r.code == INGOT_OK) {
        uint64_t v = ingot_take_number(&r.text, 8);
        if (sum)
            *sum = (int64_t)v;
    }
    return r;
}

/* ingot_state_list lists at most limit keys that begin with prefix and are greater
 * than after; there may be fewer, and there are none only at the end. Read them by
 * ingot_state_next. */
static inline struct ingot_reply ingot_state_list(struct ingot_text prefix, struct ingot_text after, int32_t limit)
{
    return ingot_answer(ingot_host_state_list(prefix.at, prefix.size, after.at, after.size, limit));
}

/* ingot_state_next cuts the first key off a list; it says whether there was one. */
static inline int ingot_state_next(struct ingot_text *list, struct ingot_text *key)
{
    if (list->size < 4)
        return 0;
    *key = ingot_take(list, (uint32_t)ingot_take_number(list, 4));
    return key->at != NULL;
}

/* ingot_http_reply is the answer to an HTTP request: with INGOT_OK a status, the
 * headers as a JSON object with names in lower case, and the body; with any other
 * code a message in reply.text. */
struct ingot_http_reply {
    struct ingot_reply reply;
    int64_t status;
    struct ingot_json headers;
    struct ingot_text body;
};

/* ingot_http makes a request. headers is a JSON object, or NULL; timeout_millis of 0
 * is the host's own. A status of 400 and above is no error. */
static inline struct ingot_http_reply ingot_http(const char *method, struct ingot_text url, const char *headers, struct ingot_text body, int64_t timeout_millis)
{
    struct ingot_out head = {NULL, 0, 0};
    ingot_put(&head, "{\"method\":");
    ingot_put_string(&head, method, ingot_length(method));
    ingot_put(&head, ",\"url\":");
    ingot_put_string(&head, url.at, url.size);
    if (headers) {
        ingot_put(&head, ",\"headers\":");
        ingot_put(&head, headers);
    }
    if (timeout_millis > 0) {
        ingot_put(&head, ",\"timeoutMillis\":");
        ingot_put_uint(&head, (uint64_t)timeout_millis);
    }
    ingot_put(&head, "}");
    struct ingot_http_reply h = {.reply = ingot_answer(ingot_host_http_request(head.at, head.size, body.at, body.size))};
    if (h.reply.code != INGOT_OK)
        return h;
    h.body = h.reply.text;
    struct ingot_text text = ingot_take(&h.body, (uint32_t)ingot_take_number(&h.body, 4));
    struct ingot_json answered = {text.at, text.at + text.size};
    ingot_int(ingot_member(answered, "status"), &h.status);
    h.headers = ingot_member(answered, "headers");
    return h;
}

/* ingot_progress tells the caller how far the call is. total is 0 when it is not
 * known. Each report must be greater than the last. */
static inline void ingot_progress(double progress, double total, const char *message)
{
    ingot_host_progress(progress, total, message, ingot_length(message));
}

/* ---- the exports; INGOT_NO_EXPORTS leaves them out, for a module of another ABI ---- */

#ifndef INGOT_NO_EXPORTS

/* INGOT_DESCRIBE gives the tool's description, a JSON object. */
#define INGOT_DESCRIBE(json)                                                       \
    INGOT_EXPORT(describe) int64_t ingot_export_describe(void)                     \
    {                                                                              \
        static const char text[] = json;                                           \
        return (int64_t)((uint64_t)(uintptr_t)text << 32 | (sizeof text - 1));     \
    }

/* The tool: it reads args, puts one JSON object into out and returns 0, or
 * returns ingot_fail(…). */
static int ingot_tool(struct ingot_json args, struct ingot_out *out);

/* A call begins with alloc: what the call before it allocated is free again. */
INGOT_EXPORT(alloc) uint32_t ingot_export_alloc(uint32_t size)
{
    ingot_heap = 0;
    return (uint32_t)(uintptr_t)ingot_try_alloc(size);
}

INGOT_EXPORT(call) int64_t ingot_export_call(uint32_t at, uint32_t size)
{
    const char *start = (const char *)(uintptr_t)at, *end = start + size;
    start = ingot_space(start, end);
    struct ingot_out out = {NULL, 0, 0};
    uint64_t failed = ingot_tool((struct ingot_json){start, ingot_skip(start, end)}, &out) ? 1 : 0;
    return (int64_t)((uint64_t)(uintptr_t)out.at << 32 | failed << 31 | out.size);
}

#endif /* INGOT_NO_EXPORTS */
#endif
