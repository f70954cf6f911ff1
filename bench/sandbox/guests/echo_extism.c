/* echo_extism: the same for Extism hosts: answers its input. */
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
IMPORT(alloc) uint64_t host_alloc(uint64_t size);
IMPORT(input_length) uint64_t input_length(void);
IMPORT(input_load_u64) uint64_t input_load_u64(uint64_t at);
IMPORT(input_load_u8) uint32_t input_load_u8(uint64_t at);
IMPORT(store_u64) void store_u64(uint64_t at, uint64_t value);
IMPORT(store_u8) void store_u8(uint64_t at, uint32_t value);
IMPORT(output_set) void output_set(uint64_t at, uint64_t size);

__attribute__((export_name("echo"))) int32_t echo(void)
{
    uint64_t size = input_length(), to = host_alloc(size), at = 0;
    for (; at + 8 <= size; at += 8)
        store_u64(to + at, input_load_u64(at));
    for (; at < size; at++)
        store_u8(to + at, input_load_u8(at));
    output_set(to, size);
    return 0;
}
