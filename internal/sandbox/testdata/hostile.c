/* hostile: one guest that does, on request, what a guest must not do. Each mode
 * has its test in hostile_test.go. */
#include "ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"hostile\",\"description\":\"Misbehaves on request.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"mode\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}},"
    "\"required\":[\"mode\"],\"additionalProperties\":false}}")

#define WASI(name) INGOT_IMPORT("wasi_snapshot_preview1", name)
WASI("proc_exit") _Noreturn void proc_exit(int32_t code);
WASI("fd_write") int32_t fd_write(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *written);
WASI("fd_read") int32_t fd_read(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *read);
WASI("path_open") int32_t path_open(int32_t fd, int32_t flags, const char *path, uint32_t size, int32_t oflags, int64_t rights, int64_t inheriting, int32_t fdflags, int32_t *opened);
WASI("fd_prestat_get") int32_t fd_prestat_get(int32_t fd, void *prestat);
WASI("environ_sizes_get") int32_t environ_sizes_get(uint32_t *count, uint32_t *size);
WASI("args_sizes_get") int32_t args_sizes_get(uint32_t *count, uint32_t *size);
WASI("clock_time_get") int32_t clock_time_get(int32_t id, int64_t precision, uint64_t *time);
WASI("random_get") int32_t random_get(void *at, uint32_t size);
WASI("poll_oneoff") int32_t poll_oneoff(const void *in, void *out, uint32_t count, uint32_t *events);
WASI("sock_accept") int32_t sock_accept(int32_t fd, int32_t flags, int32_t *accepted);

static volatile uint32_t sink;

/* What to return raw instead of the collected output; used when raw is set. */
static int raw;
static uint32_t raw_at, raw_size;

static __attribute__((noinline)) uint32_t deep(uint32_t n)
{
    uint32_t below;
    sink = n;
    below = deep(n + 1);
    return below ^ sink; /* not a tail call */
}

/* wide takes 2^n calls and no loop. */
static __attribute__((noinline)) uint32_t wide(uint32_t n)
{
    if (n == 0)
        return ++sink;
    return wide(n - 1) + wide(n - 1);
}

static void print(int32_t fd, const char *text, uint32_t size)
{
    uint32_t iov[2] = {(uint32_t)(uintptr_t)text, size}, written;
    fd_write(fd, iov, 1, &written);
}

static void sleep_nanos(uint64_t nanos)
{
    uint64_t subscription[6] = {0}, event[4];
    uint32_t events;
    subscription[2] = 1; /* the monotonic clock */
    subscription[3] = nanos;
    poll_oneoff(subscription, event, 1, &events);
}

static void put_member(struct ingot_out *out, const char *name, uint64_t n)
{
    ingot_put(out, out->size > 1 ? "," : "");
    ingot_put_string(out, name, ingot_length(name));
    ingot_put(out, ":");
    ingot_put_uint(out, n);
}

/* probe reports what the guest can see and reach of the world. */
static void probe(struct ingot_out *out, uint64_t sleep_millis)
{
    uint32_t count = 99, size = 99;
    int32_t fd = 0;
    char byte;
    uint32_t iov[2] = {(uint32_t)(uintptr_t)&byte, 1}, got = 99;
    uint64_t time = 0, random = 0;
    char prestat[8];
    ingot_put(out, "{");
    args_sizes_get(&count, &size);
    put_member(out, "args", count);
    environ_sizes_get(&count, &size);
    put_member(out, "environ", count);
    put_member(out, "prestatErrno", (uint64_t)fd_prestat_get(3, prestat));
    put_member(out, "openErrno", (uint64_t)path_open(3, 0, "etc/passwd", 10, 0, 2, 0, 0, &fd));
    put_member(out, "openStdinErrno", (uint64_t)path_open(0, 0, "etc/passwd", 10, 0, 2, 0, 0, &fd));
    put_member(out, "socketErrno", (uint64_t)sock_accept(3, 0, &fd));
    put_member(out, "readErrno", (uint64_t)fd_read(0, iov, 1, &got));
    put_member(out, "readBytes", got);
    clock_time_get(0, 1, &time);
    put_member(out, "wallNanos", time);
    clock_time_get(1, 1, &time);
    put_member(out, "monotonicNanos", time);
    sleep_nanos(sleep_millis * 1000000);
    clock_time_get(1, 1, &time);
    put_member(out, "monotonicNanosAfterSleep", time);
    random_get(&random, 6);
    put_member(out, "random", random);
    ingot_put(out, "}");
}

static void return_raw(uint32_t at, uint32_t size)
{
    raw = 1;
    raw_at = at;
    raw_size = size;
}

static void return_text(const char *text, uint32_t size) { return_raw((uint32_t)(uintptr_t)text, size); }

static int flood(struct ingot_text mode)
{
    static const char line[] = "the same line again and again and again and again\n";
    static char unbroken[65536];
    if (ingot_same(mode, "log_flood")) {
        for (int i = 0; i < 100000; i++)
            ingot_log(INGOT_ERROR, line);
    } else if (ingot_same(mode, "print_flood")) {
        for (int i = 0; i < 20000; i++)
            print(1 + (i & 1), line, sizeof line - 1);
    } else if (ingot_same(mode, "print_unbroken")) {
        __builtin_memset(unbroken, 'x', sizeof unbroken);
        for (int i = 0; i < 64; i++)
            print(2, unbroken, sizeof unbroken);
    } else {
        return 0;
    }
    return 1;
}

/* run_on keeps the processor busy in one of several ways. */
static int run_on(struct ingot_text mode)
{
    if (ingot_same(mode, "spin")) {
        for (;;)
            sink++;
    } else if (ingot_same(mode, "host_call_storm")) {
        for (;;)
            ingot_log(INGOT_INFO, "");
    } else if (ingot_same(mode, "deep")) {
        sink = deep(0);
    } else if (ingot_same(mode, "wide")) {
        sink = wide(60);
    } else if (ingot_same(mode, "sleep")) {
        for (;;)
            sleep_nanos(3600000000000ull);
    } else if (ingot_same(mode, "memory_bomb")) {
        for (;;)
            __builtin_memset(ingot_alloc(65536), 1, 65536);
    } else if (ingot_same(mode, "memory_all")) {
        __builtin_memset(ingot_alloc(0xfffe0000u - ingot_heap), 1, 1);
    } else {
        return 0;
    }
    return 1;
}

/* lie returns something that is not a result. */
static int lie(struct ingot_text mode, int64_t n)
{
    static const char broken[] = "{\"a\":", latin[] = "{\"a\":\"\xe4\"}", twice[] = "{\"a\":1,\"a\":2}", list[] = "[1,2]";
    if (ingot_same(mode, "result_outside")) {
        return_raw(0xfffffff0u, 8);
    } else if (ingot_same(mode, "result_wraps")) {
        return_raw(0xfffffff0u, 0x7fffu);
    } else if (ingot_same(mode, "result_empty")) {
        return_raw(0, 0);
    } else if (ingot_same(mode, "result_long")) {
        return_raw(0, (uint32_t)n);
    } else if (ingot_same(mode, "result_broken")) {
        return_text(broken, sizeof broken - 1);
    } else if (ingot_same(mode, "result_latin1")) {
        return_text(latin, sizeof latin - 1);
    } else if (ingot_same(mode, "result_repeats_key")) {
        return_text(twice, sizeof twice - 1);
    } else if (ingot_same(mode, "result_list")) {
        return_text(list, sizeof list - 1);
    } else if (ingot_same(mode, "error_list")) {
        return_text(list, 1u << 31 | (sizeof list - 1));
    } else if (ingot_same(mode, "log_outside")) {
        ingot_host_log(INGOT_INFO, (const char *)0xfffffff0u, 64);
    } else {
        return 0;
    }
    return 1;
}

static int ingot_misbehave(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text mode = ingot_string(ingot_member(args, "mode"));
    int64_t n = 0;
    ingot_int(ingot_member(args, "n"), &n);
    if (ingot_same(mode, "trap")) {
        __builtin_trap();
    } else if (ingot_same(mode, "divide")) {
        sink = 7 / sink;
    } else if (ingot_same(mode, "wild_write")) {
        *(volatile uint32_t *)0xfffffff0u = 1;
    } else if (ingot_same(mode, "wild_call")) {
        ((void (*)(int64_t))(uintptr_t)(n ? n : 12345))(n);
    } else if (ingot_same(mode, "exit")) {
        print(2, "fatal: giving up\n", 17);
        proc_exit((int32_t)n);
    } else if (ingot_same(mode, "fail")) {
        return ingot_fail(out, "the moon is not in the right place: try tomorrow", "bad_moon");
    } else if (ingot_same(mode, "probe")) {
        probe(out, (uint64_t)n);
    } else if (ingot_same(mode, "nest")) {
        for (int64_t i = 0; i < n; i++)
            ingot_put(out, "{\"a\":");
        ingot_put(out, "1");
        for (int64_t i = 0; i < n; i++)
            ingot_put(out, "}");
    } else if (ingot_same(mode, "remember")) {
        ingot_put(out, "{\"seen\":");
        ingot_put_uint(out, sink++);
        ingot_put(out, "}");
    } else if (flood(mode) || run_on(mode)) {
        ingot_put(out, "{\"done\":true}");
    } else if (!lie(mode, n)) {
        return ingot_fail(out, "there is no such mode", "unknown_mode");
    }
    return 0;
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    int failed = ingot_misbehave(args, out);
    if (raw) {
        out->at = (char *)(uintptr_t)raw_at;
        out->size = raw_size;
    }
    return failed;
}
