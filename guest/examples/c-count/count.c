/* count: a tool that counts the words of a text and keeps a running total in the
 * host's state. go-count, rust-count and as-count are the same tool in other
 * languages. */
#include "ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"count_c\",\"title\":\"Word counter (C)\","
    "\"description\":\"Counts the words, lines and bytes of a text, and adds the words to a running total.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"text\":{\"type\":\"string\",\"description\":\"the text to count\",\"maxLength\":100000},"
    "\"counter\":{\"type\":\"string\",\"description\":\"which running total to add to; all by default\",\"minLength\":1,\"maxLength\":64}},"
    "\"required\":[\"text\"],\"additionalProperties\":false},"
    "\"outputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"words\":{\"type\":\"integer\",\"description\":\"runs of anything but spaces, tabs and line breaks\"},"
    "\"lines\":{\"type\":\"integer\",\"description\":\"lines, the last one counted even without a line break\"},"
    "\"bytes\":{\"type\":\"integer\",\"description\":\"length in UTF-8\"},"
    "\"total\":{\"type\":\"integer\",\"description\":\"words under this counter, this call included\"}},"
    "\"required\":[\"words\",\"lines\",\"bytes\",\"total\"],\"additionalProperties\":false},"
    "\"annotations\":{\"readOnlyHint\":false,\"destructiveHint\":false,\"idempotentHint\":false,\"openWorldHint\":false}}")

/* What a text comes to. */
struct tally {
    uint64_t words, lines;
};

static struct tally count(struct ingot_text text)
{
    struct tally t = {0, 0};
    int in_word = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        int space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        t.words += !space && !in_word;
        t.lines += c == '\n';
        in_word = !space;
    }
    t.lines += text.size > 0 && text.at[text.size - 1] != '\n';
    return t;
}

/* key_of is the key of a counter; its at is NULL when the name is a bad one. */
static struct ingot_text key_of(struct ingot_text counter)
{
    struct ingot_out key = {NULL, 0, 0};
    for (uint32_t i = 0; i < counter.size; i++) {
        char c = counter.at[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
            return (struct ingot_text){NULL, 0};
    }
    ingot_put(&key, "count/");
    ingot_put_bytes(&key, counter.at, counter.size);
    return (struct ingot_text){key.at, key.size};
}

static void log_words(uint64_t words)
{
    struct ingot_out line = {NULL, 0, 0};
    ingot_put(&line, "counted ");
    ingot_put_uint(&line, words);
    ingot_put_bytes(&line, " words", sizeof " words"); /* and its end */
    ingot_log(INGOT_INFO, line.at);
}

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    struct ingot_text text = ingot_string(ingot_member(args, "text"));
    if (!text.at)
        return ingot_fail(out, "text is missing, or is not a string", "bad_arguments");
    struct ingot_text counter = ingot_string(ingot_member(args, "counter"));
    struct ingot_text key = key_of(counter.size ? counter : ingot_str("all"));
    if (!key.at)
        return ingot_fail(out, "a counter's name has the characters a-z, 0-9 and - only", "bad_counter");
    struct tally t = count(text);
    int64_t total;
    struct ingot_reply r = ingot_state_increment(key, (int64_t)t.words, 0, &total);
    if (r.code != INGOT_OK)
        return ingot_fail_reply(out, r);
    log_words(t.words);
    ingot_put(out, "{\"words\":");
    ingot_put_uint(out, t.words);
    ingot_put(out, ",\"lines\":");
    ingot_put_uint(out, t.lines);
    ingot_put(out, ",\"bytes\":");
    ingot_put_uint(out, text.size);
    ingot_put(out, ",\"total\":");
    ingot_put_int(out, total);
    ingot_put(out, "}");
    return 0;
}
