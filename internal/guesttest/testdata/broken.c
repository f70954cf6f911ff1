/* broken: one tool that has, by FAULT, one of the faults that guesttest finds. */
#if FAULT == 6 || FAULT == 7
#define INGOT_NO_EXPORTS /* alloc and call are below */
#endif
#include "ingot.h"

#define SOUND 0
#define TRAPS 1        /* on a text with an escape */
#define EXITS 2        /* on an empty text */
#define SPINS 3        /* on a long text */
#define LIES 4         /* its answer breaks its output schema */
#define REMEMBERS 5    /* answers how often it was called */
#define HOARDS 6       /* frees nothing */
#define NO_ROOM 7      /* alloc's address lies outside when memory is short */
#define BAD_SCHEMA 8   /* a type that is none */
#define BAD_OUTPUT 9   /* an output schema that does not compile */
#define NO_JSON 10     /* describe returns no JSON */
#define UNDESCRIBED 11 /* an argument without a description */
#define REFUSES 12     /* every call */
#define TRUSTS 13      /* traps when text is missing */
#define CHATTY 14      /* more output than may be */

#if FAULT == UNDESCRIBED
#define ABOUT ""
#else
#define ABOUT ",\"description\":\"the text to look at\""
#endif
#if FAULT == BAD_SCHEMA
#define TYPE "strnig"
#else
#define TYPE "string"
#endif
#if FAULT == BAD_OUTPUT
#define ANSWER "{\"type\":\"object\",\"properties\":7}"
#else
#define ANSWER "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"bytes\"]}"
#endif

#ifdef INGOT_NO_EXPORTS
#define INGOT_DESCRIBE(json)                                                       \
    INGOT_EXPORT(describe) int64_t describe(void)                                  \
    {                                                                              \
        static const char text[] = json;                                           \
        return (int64_t)((uint64_t)(uintptr_t)text << 32 | (sizeof text - 1));     \
    }
#endif

#if FAULT == NO_JSON
INGOT_DESCRIBE("name: broken")
#else
INGOT_DESCRIBE("{\"name\":\"broken\",\"description\":\"Measures a text, in bytes.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
               "\"text\":{\"type\":\"" TYPE "\"" ABOUT ",\"maxLength\":1000}},\"required\":[\"text\"]},\"outputSchema\":" ANSWER "}")
#endif

INGOT_IMPORT("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(int32_t code);

static uint64_t calls;
static volatile uint32_t sink;

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text text = ingot_string(ingot_member(args, "text"));
    uint64_t answer = text.size;
    calls++;
    if (FAULT == TRUSTS && !text.at)
        __builtin_trap();
    if (!text.at)
        return ingot_fail(out, "text is missing, or no string", "bad_arguments");
    if (FAULT == REFUSES)
        return ingot_fail(out, "not today", "no");
    if (FAULT == EXITS && text.size == 0)
        proc_exit(3);
    for (uint32_t i = 0; FAULT == TRAPS && i < text.size; i++)
        if (text.at[i] == '\n')
            __builtin_trap();
    while (FAULT == SPINS && text.size > 900)
        sink++;
    if (FAULT == REMEMBERS)
        answer = calls;
    if (FAULT == CHATTY)
        for (int i = 0; i < 200000; i++)
            ingot_put(out, "          ");
    ingot_put(out, "{\"bytes\":");
    if (FAULT == LIES && text.size == 0)
        ingot_put(out, "-");
    ingot_put_uint(out, answer + (FAULT == LIES));
    ingot_put(out, "}");
    return 0;
}

#ifdef INGOT_NO_EXPORTS
INGOT_EXPORT(alloc) uint32_t broken_alloc(uint32_t size)
{
    void *at = ingot_try_alloc(size); /* from where the last call ended */
    return FAULT == NO_ROOM && !at ? 0x7fffff00 : (uint32_t)(uintptr_t)at;
}

INGOT_EXPORT(call) int64_t broken_call(uint32_t at, uint32_t size)
{
    const char *start = (const char *)(uintptr_t)at, *end = start + size;
    struct ingot_out out = {NULL, 0, 0};
    start = ingot_space(start, end);
    uint64_t failed = ingot_tool((struct ingot_json){start, ingot_skip(start, end)}, &out) ? 1 : 0;
    return (int64_t)((uint64_t)(uintptr_t)out.at << 32 | failed << 31 | out.size);
}
#endif
