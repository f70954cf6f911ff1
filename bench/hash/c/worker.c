// The C worker of bench/hash: it answers as ../hashers.go says, for the reference
// implementation of XXH3, inlined from the system's xxhash.h. ../inputs.go says
// what is hashed.
#define XXH_INLINE_ALL
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum { arena_bytes = 16384, inputs_max = 64, batch_keys = 100, batches = 64, length_max = 1 << 20, key_bytes_max = 64 };

static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// words writes length bytes, in little-endian order on every machine.
static void words(unsigned char* to, uint64_t first, size_t length) {
  for (size_t i = 0; i < length; i++) to[i] = (unsigned char)(mix(first + i / 8) >> (8 * (i % 8)));
}

static uint64_t nanos(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static unsigned char* taken(size_t bytes) {
  unsigned char* memory = malloc(bytes);
  if (!memory) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return memory;
}

static uint64_t loop_one(const unsigned char* arena, size_t length, size_t count, uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0, at = 0; i < n; i++) {
    sum += XXH3_64bits(arena + at * length, length);
    if (++at == count) at = 0;
  }
  return sum;
}

static void one(size_t length, uint64_t n) {
  size_t count = arena_bytes / length;
  if (count < 1) count = 1;
  if (count > inputs_max) count = inputs_max;
  unsigned char* arena = taken(count * length);
  words(arena, 0, count * length);
  // A sum that is used keeps the loop from being left out.
  volatile uint64_t warm = loop_one(arena, length, count, n / 16 + 1);
  (void)warm;
  const uint64_t started = nanos();
  const uint64_t sum = loop_one(arena, length, count, n);
  printf("ok ns=%" PRIu64 " sum=%" PRIu64 "\n", nanos() - started, sum);
  free(arena);
}

struct key {
  const unsigned char* bytes;
  size_t length;
};

static uint64_t loop_batch(const struct key* keys, uint64_t n) {
  uint64_t sum = 0, hashes[batch_keys];
  for (uint64_t i = 0; i < n; i++) {
    const struct key* batch = keys + i % batches * batch_keys;
    for (int k = 0; k < batch_keys; k++) hashes[k] = XXH3_64bits(batch[k].bytes, batch[k].length);
    for (int k = 0; k < batch_keys; k++) sum += hashes[k];
  }
  return sum;
}

static void batch(uint64_t low, uint64_t high, uint64_t n) {
  static struct key keys[batches * batch_keys];
  unsigned char* arena = taken(sizeof keys / sizeof *keys * key_bytes_max);
  unsigned char* end = arena;
  for (uint64_t k = 0; k < batches * batch_keys; k++) {
    const size_t length = low + mix(k ^ 0x6c656e) % (high - low + 1);
    words(end, k << 32, length);
    keys[k] = (struct key){end, length};
    end += length;
  }
  volatile uint64_t warm = loop_batch(keys, n / 16 + 1);
  (void)warm;
  const uint64_t started = nanos();
  const uint64_t sum = loop_batch(keys, n);
  printf("ok ns=%" PRIu64 " sum=%" PRIu64 "\n", nanos() - started, sum);
  free(arena);
}

int main(void) {
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    uint64_t length, low, high, n;
    if (!strcmp(line, "quit\n")) return 0;
    if (!strcmp(line, "backend\n")) {
      printf("%d.%d.%d\n", XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
    } else if (sscanf(line, "one c %" SCNu64 " %" SCNu64, &length, &n) == 2 && length >= 1 && length <= length_max) {
      one(length, n);
    } else if (sscanf(line, "batch c %" SCNu64 " %" SCNu64 " %" SCNu64, &low, &high, &n) == 3 && low >= 1 && low <= high &&
               high <= key_bytes_max) {
      batch(low, high, n);
    } else {
      printf("error not understood\n");
    }
    fflush(stdout);
  }
  return 0;
}
