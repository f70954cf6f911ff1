/* command: a WASI command that does what its stdin asks for. */
#define INGOT_NO_EXPORTS
#include "ingot.h"

#define WASI(name) INGOT_IMPORT("wasi_snapshot_preview1", #name)
WASI(args_sizes_get) int32_t args_sizes_get(uint32_t *count, uint32_t *size);
WASI(args_get) int32_t args_get(char **argv, char *buffer);
WASI(fd_write) int32_t fd_write(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *written);
WASI(fd_read) int32_t fd_read(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *read);
WASI(proc_exit) _Noreturn void proc_exit(int32_t code);

#define DESCRIPTION                                                                                       \
    "{\"name\":\"command\",\"description\":\"Does what it is told.\",\"inputSchema\":{\"type\":\"object\"}}"

static int runs; /* 0 in each call: an instance is put back */

static void print(int32_t fd, const char *text, uint32_t size)
{
    uint32_t iov[2] = {(uint32_t)(uintptr_t)text, size}, written;
    fd_write(fd, iov, 1, &written);
}

static void say(const char *text) { print(1, text, ingot_length(text)); }

/* read_stdin reads to the end, a few bytes at a time. */
static struct ingot_json read_stdin(void)
{
    struct ingot_out in = {NULL, 0, 0};
    char piece[100];
    uint32_t iov[2] = {(uint32_t)(uintptr_t)piece, sizeof piece}, got = 0;
    while (fd_read(0, iov, 1, &got) == 0 && got > 0)
        ingot_put_bytes(&in, piece, got);
    return (struct ingot_json){in.at, in.at + in.size};
}

static int described(void)
{
    uint32_t count = 0, size = 0;
    args_sizes_get(&count, &size);
    char **argv = ingot_alloc(count * 4);
    args_get(argv, ingot_alloc(size));
    if (count == 2 && ingot_same(ingot_str(argv[1]), "--describe")) {
        say(DESCRIPTION);
        return 1;
    }
    if (count != 1 || !ingot_same(ingot_str(argv[0]), "tool"))
        proc_exit(99);
    return 0;
}

INGOT_EXPORT(_start) void start(void)
{
    if (described())
        return;
    struct ingot_json args = read_stdin();
    struct ingot_text mode = ingot_string(ingot_member(args, "mode"));
    int64_t n = 0;
    ingot_int(ingot_member(args, "n"), &n);
    if (ingot_same(mode, "json")) {
        struct ingot_out out = {NULL, 0, 0};
        ingot_put(&out, "{\"runs\":");
        ingot_put_uint(&out, (uint64_t)runs++);
        ingot_put(&out, ",\"bytes\":");
        ingot_put_uint(&out, (uint64_t)(args.end - args.at));
        ingot_put(&out, "}\n");
        print(1, out.at, out.size);
    } else if (ingot_same(mode, "text")) {
        say("plain \"text\"\n");
        say("in two writes");
        proc_exit(0);
    } else if (ingot_same(mode, "exit")) {
        if (n > 1)
            print(2, "the moon is new\n", 16);
        say("{\"lost\":true}");
        proc_exit((int32_t)n);
    } else if (ingot_same(mode, "flood")) {
        for (int64_t i = 0; i < n; i++)
            say("0123456789");
    } else if (ingot_same(mode, "binary")) {
        say("\xff\xfe");
    } else if (ingot_same(mode, "trap")) {
        __builtin_trap();
    } else if (ingot_same(mode, "spin")) {
        for (;;)
            runs++;
    }
}
