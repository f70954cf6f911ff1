/* script: a guest that makes the calls it is told to make, one a line, and reports
 * what came of each. Tests of what a guest may reach are written with it. A line is
 * a name and its arguments, with tabs between; the report of one is
 * "errno[ number][ text]". */
#include "ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"script\",\"description\":\"Makes host calls, one a line.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"script\":{\"type\":\"string\"}},\"required\":[\"script\"]}}")

#define WASI(name) INGOT_IMPORT("wasi_snapshot_preview1", name)
WASI("path_open") int32_t path_open(int32_t fd, int32_t dirflags, const char *path, uint32_t size, int32_t oflags, int64_t rights, int64_t inheriting, int32_t fdflags, int32_t *opened);
WASI("fd_close") int32_t fd_close(int32_t fd);
WASI("fd_renumber") int32_t fd_renumber(int32_t from, int32_t to);
WASI("fd_read") int32_t fd_read(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *done);
WASI("fd_write") int32_t fd_write(int32_t fd, const uint32_t *iovs, uint32_t count, uint32_t *done);
WASI("fd_pread") int32_t fd_pread(int32_t fd, const uint32_t *iovs, uint32_t count, int64_t offset, uint32_t *done);
WASI("fd_pwrite") int32_t fd_pwrite(int32_t fd, const uint32_t *iovs, uint32_t count, int64_t offset, uint32_t *done);
WASI("fd_seek") int32_t fd_seek(int32_t fd, int64_t offset, int32_t whence, uint64_t *at);
WASI("fd_sync") int32_t fd_sync(int32_t fd);
WASI("fd_fdstat_set_flags") int32_t fd_fdstat_set_flags(int32_t fd, int32_t flags);
WASI("fd_filestat_get") int32_t fd_filestat_get(int32_t fd, uint64_t *stat);
WASI("fd_filestat_set_size") int32_t fd_filestat_set_size(int32_t fd, int64_t size);
WASI("fd_filestat_set_times") int32_t fd_filestat_set_times(int32_t fd, int64_t accessed, int64_t modified, int32_t flags);
WASI("fd_allocate") int32_t fd_allocate(int32_t fd, int64_t offset, int64_t size);
WASI("fd_readdir") int32_t fd_readdir(int32_t fd, char *to, uint32_t size, int64_t cookie, uint32_t *used);
WASI("fd_prestat_dir_name") int32_t fd_prestat_dir_name(int32_t fd, char *to, uint32_t size);
WASI("fd_prestat_get") int32_t fd_prestat_get(int32_t fd, uint32_t *prestat);
WASI("path_filestat_get") int32_t path_filestat_get(int32_t fd, int32_t flags, const char *path, uint32_t size, uint64_t *stat);
WASI("path_filestat_set_times") int32_t path_filestat_set_times(int32_t fd, int32_t flags, const char *path, uint32_t size, int64_t accessed, int64_t modified, int32_t fst);
WASI("path_create_directory") int32_t path_create_directory(int32_t fd, const char *path, uint32_t size);
WASI("path_remove_directory") int32_t path_remove_directory(int32_t fd, const char *path, uint32_t size);
WASI("path_unlink_file") int32_t path_unlink_file(int32_t fd, const char *path, uint32_t size);
WASI("path_rename") int32_t path_rename(int32_t fd, const char *path, uint32_t size, int32_t fd2, const char *path2, uint32_t size2);
WASI("path_link") int32_t path_link(int32_t fd, int32_t flags, const char *path, uint32_t size, int32_t fd2, const char *path2, uint32_t size2);
WASI("path_symlink") int32_t path_symlink(const char *target, uint32_t target_size, int32_t fd, const char *path, uint32_t size);
WASI("path_readlink") int32_t path_readlink(int32_t fd, const char *path, uint32_t size, char *to, uint32_t to_size, uint32_t *used);
WASI("environ_sizes_get") int32_t environ_sizes_get(uint32_t *count, uint32_t *size);
WASI("environ_get") int32_t environ_get(char **vars, char *text);
WASI("clock_time_get") int32_t clock_time_get(int32_t id, int64_t precision, uint64_t *time);
WASI("random_get") int32_t random_get(void *to, uint32_t size);
WASI("poll_oneoff") int32_t poll_oneoff(const void *in, void *out, uint32_t count, uint32_t *events);
WASI("proc_exit") _Noreturn void proc_exit(int32_t code);

#define TEXT_MAX 65536
static char text[TEXT_MAX]; /* what an operation read */
static volatile uint64_t sink;
static uint64_t calls;

/* report is what came of one line. */
struct report {
    int64_t code;
    int has_number;
    uint64_t number;
    const char *at;
    uint32_t size;
};

static struct report plain(int32_t code) { return (struct report){.code = code}; }
static struct report numbered(int32_t code, uint64_t n) { return (struct report){.code = code, .has_number = code == 0, .number = n}; }
static struct report worded(int32_t code, const char *at, uint32_t size) { return (struct report){.code = code, .at = at, .size = code ? 0 : size}; }

/* answered is the report of a call of the host module ingot. */
static struct report answered(struct ingot_reply r)
{
    return (struct report){.code = r.code, .at = r.text.at, .size = r.text.size};
}

/* cut takes the part up to a character off t. */
static struct ingot_text cut(struct ingot_text *t, char c)
{
    struct ingot_text head = {t->at, 0};
    while (head.size < t->size && t->at[head.size] != c)
        head.size++;
    uint32_t used = head.size < t->size ? head.size + 1 : head.size;
    t->at += used;
    t->size -= used;
    return head;
}

static int64_t integer(struct ingot_text *t)
{
    struct ingot_text s = cut(t, '\t');
    int64_t n = 0, sign = 1;
    for (uint32_t i = 0; i < s.size; i++) {
        if (s.at[i] == '-')
            sign = -1;
        else
            n = n * 10 + (s.at[i] - '0');
    }
    return n * sign;
}

static struct report open_file(struct ingot_text *t)
{
    int32_t fd = (int32_t)integer(t), opened = -1, follow = (int32_t)integer(t);
    struct ingot_text path = cut(t, '\t');
    int32_t oflags = (int32_t)integer(t), rights = (int32_t)integer(t), fdflags = (int32_t)integer(t);
    int32_t code = path_open(fd, follow, path.at, path.size, oflags, rights, 0, fdflags, &opened);
    return numbered(code, (uint64_t)opened);
}

/* move reads or writes at an offset, or, below 0, where the file stands. */
static struct report move(struct ingot_text *t, int write)
{
    int32_t fd = (int32_t)integer(t), code;
    int64_t offset = integer(t);
    struct ingot_text data = {text, 0};
    if (write)
        data = cut(t, '\t');
    else
        data.size = (uint32_t)integer(t);
    if (data.size > TEXT_MAX)
        data.size = TEXT_MAX;
    uint32_t iov[2] = {(uint32_t)(uintptr_t)data.at, data.size}, done = 0;
    if (write)
        code = offset < 0 ? fd_write(fd, iov, 1, &done) : fd_pwrite(fd, iov, 1, offset, &done);
    else
        code = offset < 0 ? fd_read(fd, iov, 1, &done) : fd_pread(fd, iov, 1, offset, &done);
    return write ? numbered(code, done) : worded(code, text, done);
}

/* fill writes n bytes in blocks, until one is refused. */
static struct report fill(struct ingot_text *t)
{
    int32_t fd = (int32_t)integer(t), code = 0;
    int64_t left = integer(t);
    __builtin_memset(text, 'x', TEXT_MAX);
    while (left > 0 && code == 0) {
        uint32_t iov[2] = {(uint32_t)(uintptr_t)text, left > TEXT_MAX ? TEXT_MAX : (uint32_t)left}, done = 0;
        code = fd_write(fd, iov, 1, &done);
        left -= done;
    }
    return plain(code);
}

/* list names what is in a folder, with commas between. */
static struct report list(struct ingot_text *t)
{
    static char raw[TEXT_MAX];
    int32_t fd = (int32_t)integer(t);
    uint32_t used = 0, size = 0;
    int32_t code = fd_readdir(fd, raw, sizeof raw, 0, &used);
    for (uint32_t at = 0; code == 0 && at + 24 <= used;) {
        uint32_t name_size;
        __builtin_memcpy(&name_size, raw + at + 16, 4);
        if (at + 24 + name_size > used)
            break;
        if (!(raw[at + 24] == '.' && name_size <= 2)) {
            if (size > 0)
                text[size++] = ',';
            __builtin_memcpy(text + size, raw + at + 24, name_size);
            size += name_size;
        }
        at += 24 + name_size;
    }
    return worded(code, text, size);
}

static struct report files(struct ingot_text op, struct ingot_text *t, int *known)
{
    uint64_t stat[8] = {0};
    uint32_t used = 0;
    if (ingot_same(op, "open"))
        return open_file(t);
    if (ingot_same(op, "read"))
        return move(t, 0);
    if (ingot_same(op, "write"))
        return move(t, 1);
    if (ingot_same(op, "fill"))
        return fill(t);
    if (ingot_same(op, "list"))
        return list(t);
    if (ingot_same(op, "close"))
        return plain(fd_close((int32_t)integer(t)));
    if (ingot_same(op, "sync"))
        return plain(fd_sync((int32_t)integer(t)));
    int32_t fd = (int32_t)integer(t);
    if (ingot_same(op, "renumber"))
        return plain(fd_renumber(fd, (int32_t)integer(t)));
    if (ingot_same(op, "flags"))
        return plain(fd_fdstat_set_flags(fd, (int32_t)integer(t)));
    if (ingot_same(op, "seek")) {
        int64_t offset = integer(t);
        int32_t code = fd_seek(fd, offset, (int32_t)integer(t), &stat[0]);
        return numbered(code, stat[0]);
    }
    if (ingot_same(op, "fstat")) {
        int32_t code = fd_filestat_get(fd, stat);
        return numbered(code, stat[4]);
    }
    if (ingot_same(op, "truncate"))
        return plain(fd_filestat_set_size(fd, integer(t)));
    if (ingot_same(op, "allocate")) {
        int64_t offset = integer(t);
        return plain(fd_allocate(fd, offset, integer(t)));
    }
    if (ingot_same(op, "ftimes"))
        return plain(fd_filestat_set_times(fd, 1000000000, 2000000000, 5));
    if (ingot_same(op, "prestat")) {
        uint32_t prestat[2] = {0};
        int32_t code = fd_prestat_get(fd, prestat);
        if (code == 0)
            code = fd_prestat_dir_name(fd, text, prestat[1]);
        return worded(code, text, prestat[1]);
    }
    if (ingot_same(op, "symlink")) {
        struct ingot_text target = cut(t, '\t'), name = cut(t, '\t');
        return plain(path_symlink(target.at, target.size, fd, name.at, name.size));
    }
    struct ingot_text path = cut(t, '\t');
    if (ingot_same(op, "stat") || ingot_same(op, "lstat")) {
        int32_t code = path_filestat_get(fd, ingot_same(op, "stat"), path.at, path.size, stat);
        return numbered(code, (stat[2] & 0xff) * 1000000 + stat[4]);
    }
    if (ingot_same(op, "times"))
        return plain(path_filestat_set_times(fd, (int32_t)integer(t), path.at, path.size, 1000000000, 2000000000, 5));
    if (ingot_same(op, "mkdir"))
        return plain(path_create_directory(fd, path.at, path.size));
    if (ingot_same(op, "rmdir"))
        return plain(path_remove_directory(fd, path.at, path.size));
    if (ingot_same(op, "unlink"))
        return plain(path_unlink_file(fd, path.at, path.size));
    if (ingot_same(op, "readlink")) {
        int32_t code = path_readlink(fd, path.at, path.size, text, sizeof text, &used);
        return worded(code, text, used);
    }
    int32_t fd2 = (int32_t)integer(t);
    struct ingot_text path2 = cut(t, '\t');
    if (ingot_same(op, "rename"))
        return plain(path_rename(fd, path.at, path.size, fd2, path2.at, path2.size));
    if (ingot_same(op, "link"))
        return plain(path_link(fd, 0, path.at, path.size, fd2, path2.at, path2.size));
    *known = 0;
    return plain(0);
}

static struct report keys(struct ingot_text op, struct ingot_text *t, int *known)
{
    struct ingot_text key = cut(t, '\t');
    uint64_t version = 0;
    int64_t sum = 0;
    if (ingot_same(op, "get"))
        return answered(ingot_state_get(key, &version));
    if (ingot_same(op, "set")) {
        struct ingot_text value = cut(t, '\t');
        int64_t ttl = integer(t), if_version = integer(t);
        struct ingot_reply r = ingot_state_set(key, value, ttl, if_version, &version);
        return r.code ? answered(r) : numbered(0, version);
    }
    if (ingot_same(op, "del"))
        return answered(ingot_state_delete(key, integer(t)));
    if (ingot_same(op, "inc")) {
        int64_t delta = integer(t);
        struct ingot_reply r = ingot_state_increment(key, delta, integer(t), &sum);
        return r.code ? answered(r) : numbered(0, (uint64_t)sum);
    }
    if (ingot_same(op, "ls")) {
        struct ingot_text after = cut(t, '\t'), one;
        struct ingot_reply r = ingot_state_list(key, after, (int32_t)integer(t));
        uint32_t size = 0;
        if (r.code)
            return answered(r);
        while (ingot_state_next(&r.text, &one) && size + one.size + 1 < TEXT_MAX) {
            if (size > 0)
                text[size++] = ',';
            __builtin_memcpy(text + size, one.at, one.size);
            size += one.size;
        }
        return worded(0, text, size);
    }
    if (ingot_same(op, "http")) {
        struct ingot_text body = cut(t, '\t');
        struct report r = answered(ingot_answer(ingot_host_http_request(key.at, key.size, body.at, body.size)));
        if (r.code == 0) { /* without the length of the head */
            r.at += 4;
            r.size -= 4;
        }
        return r;
    }
    if (ingot_same(op, "progress")) {
        int64_t at = 0, of = integer(t);
        struct ingot_text n = key;
        at = integer(&n);
        ingot_host_progress((double)at, (double)of, t->at, t->size);
        return plain(0);
    }
    *known = 0;
    return plain(0);
}

static struct report other(struct ingot_text op, struct ingot_text *t, int *known)
{
    uint64_t time = 0;
    if (ingot_same(op, "env")) {
        static char *vars[64];
        uint32_t count = 0, size = 0;
        int32_t code = environ_sizes_get(&count, &size);
        if (code == 0 && count < 64 && size < TEXT_MAX)
            code = environ_get(vars, text);
        for (uint32_t i = 0; i + 1 < size; i++)
            if (text[i] == 0)
                text[i] = ',';
        return worded(code, text, size ? size - 1 : 0);
    }
    if (ingot_same(op, "clock")) {
        int32_t code = clock_time_get((int32_t)integer(t), 1, &time);
        return numbered(code, time);
    }
    if (ingot_same(op, "random")) {
        int32_t code = random_get(&time, 6);
        return numbered(code, time);
    }
    if (ingot_same(op, "randoms")) { /* so many bytes, again and again */
        uint32_t size = (uint32_t)integer(t);
        char *to = ingot_alloc(size);
        for (;;)
            random_get(to, size);
    }
    if (ingot_same(op, "wait")) { /* for stdin, at most an hour */
        uint64_t in[12] = {0}, out[8] = {0};
        uint32_t events = 0;
        ((uint8_t *)in)[8] = 1; /* subscribe to reading */
        in[8] = 1;              /* a clock, monotonic */
        in[9] = 3600000000000ull;
        int32_t code = poll_oneoff(in, out, 2, &events);
        return numbered(code, events);
    }
    if (ingot_same(op, "log")) {
        int32_t level = (int32_t)integer(t);
        ingot_host_log(level, t->at, t->size);
        return plain(0);
    }
    if (ingot_same(op, "grow"))
        return numbered(0, __builtin_wasm_memory_grow(0, (uintptr_t)integer(t)) != (uintptr_t)-1);
    if (ingot_same(op, "spin")) {
        for (int64_t n = integer(t); n > 0; n--)
            sink++;
        return plain(0);
    }
    if (ingot_same(op, "calls"))
        return numbered(0, calls++);
    if (ingot_same(op, "exit"))
        proc_exit((int32_t)integer(t));
    if (ingot_same(op, "reply")) {
        ingot_host_reply((char *)(uintptr_t)integer(t));
        return plain(0);
    }
    if (ingot_same(op, "point")) { /* a key that lies outside memory */
        uint32_t at = (uint32_t)integer(t);
        return plain((int32_t)(ingot_host_state_get((const char *)(uintptr_t)at, (uint32_t)integer(t)) >> 32));
    }
    *known = 0;
    return plain(0);
}

static void put_report(struct ingot_out *out, struct report r)
{
    struct ingot_out line = {0};
    ingot_put_int(&line, r.code);
    if (r.has_number) {
        ingot_put(&line, " ");
        ingot_put_uint(&line, r.number);
    }
    if (r.size > 0) {
        ingot_put(&line, " ");
        ingot_put_bytes(&line, r.at, r.size);
    }
    ingot_put_string(out, line.at, line.size);
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text script = ingot_string(ingot_member(args, "script"));
    const char *separator = "";
    ingot_put(out, "{\"lines\":[");
    while (script.size > 0) {
        struct ingot_text line = cut(&script, '\n'), rest = line;
        struct ingot_text op = cut(&rest, '\t'), arguments = rest;
        int known = 1;
        struct report r = other(op, &arguments, &known);
        if (!known) {
            known = 1;
            arguments = rest;
            r = keys(op, &arguments, &known);
        }
        if (!known) {
            known = 1;
            arguments = rest;
            r = files(op, &arguments, &known);
        }
        if (!known)
            return ingot_fail(out, "the script has a line that is not known", "unknown_line");
        ingot_put(out, separator);
        put_report(out, r);
        separator = ",";
    }
    ingot_put(out, "]}");
    return 0;
}
