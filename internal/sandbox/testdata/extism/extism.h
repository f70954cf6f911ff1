/* What Extism documents that a plug-in may import, as far as the plug-ins here do;
 * and the little around it that they share. JSON is read by ingot.h's readers. */
#ifndef EXTISM_TEST_H
#define EXTISM_TEST_H

#include "ingot.h"

#define EXTISM(name) INGOT_IMPORT("extism:host/env", #name)
EXTISM(input_length) uint64_t input_length(void);
EXTISM(input_offset) uint64_t input_offset(void);
EXTISM(input_load_u8) uint32_t input_load_u8(uint64_t at);
EXTISM(input_load_u64) uint64_t input_load_u64(uint64_t at);
EXTISM(output_set) void output_set(uint64_t at, uint64_t size);
EXTISM(error_set) void error_set(uint64_t at);
EXTISM(alloc) uint64_t extism_alloc(uint64_t size);
EXTISM(free) void extism_free(uint64_t at);
EXTISM(length) uint64_t extism_length(uint64_t at);
EXTISM(length_unsafe) uint64_t extism_length_unsafe(uint64_t at);
EXTISM(load_u8) uint32_t load_u8(uint64_t at);
EXTISM(load_u64) uint64_t load_u64(uint64_t at);
EXTISM(store_u8) void store_u8(uint64_t at, uint32_t value);
EXTISM(store_u64) void store_u64(uint64_t at, uint64_t value);
EXTISM(config_get) uint64_t config_get(uint64_t key);
EXTISM(var_get) uint64_t var_get(uint64_t key);
EXTISM(var_set) void var_set(uint64_t key, uint64_t value);
EXTISM(http_request) uint64_t http_request(uint64_t head, uint64_t body);
EXTISM(http_status_code) uint32_t http_status_code(void);
EXTISM(http_headers) uint64_t http_headers(void);
EXTISM(log_trace) void log_trace(uint64_t at);
EXTISM(log_debug) void log_debug(uint64_t at);
EXTISM(log_info) void log_info(uint64_t at);
EXTISM(log_warn) void log_warn(uint64_t at);
EXTISM(log_error) void log_error(uint64_t at);
EXTISM(get_log_level) uint32_t get_log_level(void);

/* read_input copies the input to memory, eight bytes at a time while there are. */
static struct ingot_json read_input(void)
{
    uint32_t size = (uint32_t)input_length(), i = 0;
    char *to = ingot_alloc(size + 8);
    for (; i + 8 <= size; i += 8) {
        uint64_t eight = input_load_u64(i);
        __builtin_memcpy(to + i, &eight, 8);
    }
    for (; i < size; i++)
        to[i] = (char)input_load_u8(i);
    return (struct ingot_json){to, to + size};
}

/* put copies a text to shared memory, mostly by words. */
static uint64_t put(struct ingot_text t)
{
    uint64_t at = extism_alloc(t.size);
    uint32_t i = 0;
    for (; i + 8 <= t.size; i += 8) {
        uint64_t eight;
        __builtin_memcpy(&eight, t.at + i, 8);
        store_u64(at + i, eight);
    }
    for (; i < t.size; i++)
        store_u8(at + i, (unsigned char)t.at[i]);
    return at;
}

/* fetch copies a block of shared memory to memory. */
static inline struct ingot_text fetch(uint64_t at)
{
    uint32_t size = (uint32_t)extism_length(at), i = 0;
    char *to = ingot_alloc(size + 8);
    for (; i + 8 <= size; i += 8) {
        uint64_t eight = load_u64(at + i);
        __builtin_memcpy(to + i, &eight, 8);
    }
    for (; i < size; i++)
        to[i] = (char)load_u8(at + i);
    return (struct ingot_text){to, size};
}

static int32_t answer(struct ingot_out *out)
{
    uint64_t at = put((struct ingot_text){out->at, out->size});
    output_set(at, out->size);
    return 0;
}

static inline int32_t fail(const char *message)
{
    error_set(put(ingot_str(message)));
    return 1;
}

#endif
