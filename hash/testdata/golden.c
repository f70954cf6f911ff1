/* Writes xxh3.golden, the reference's answers that golden_test.go holds every
 * implementation to. It needs the reference's xxhash.h (Cyan4973/xxHash, 0.8.3
 * or later) on the include path:
 *
 *   cc -O2 -I <directory of xxhash.h> -o golden golden.c && ./golden > xxh3.golden
 *
 * Input: the generator of the reference's own sanity check. A 64-bit state starts
 * at PRIME32 and is multiplied by PRIME64 for each byte; the byte is its top 8 bits.
 */
#define XXH_INLINE_ALL
#include "xxhash.h"
#include <stdio.h>
#include <stdlib.h>

enum { DENSE_MAX = 4096, BLOCK = 256, LONG_MAX_BYTES = (1 << 20) + 13 };

static const unsigned long long prime32 = 2654435761ULL;
static const unsigned long long prime64 = 11400714785074694797ULL;

/* Around each class boundary, each block boundary, and some long inputs. */
static const size_t lengths[] = {
    0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65,
    95, 96, 97, 127, 128, 129, 143, 144, 145, 192, 239, 240, 241, 255, 256, 257,
    319, 320, 321, 511, 512, 513, 1023, 1024, 1025, 1088, 1089, 2047, 2048, 2049,
    2112, 2113, 3071, 3072, 3073, 4095, 4096, 16384, 65536, 65537, LONG_MAX_BYTES,
};

/* fold runs FNV-1a (64 bits) over the 8 little-endian bytes of h. */
static unsigned long long fold(unsigned long long digest, unsigned long long h) {
    for (int i = 0; i < 8; i++) {
        digest = (digest ^ ((h >> (8 * i)) & 0xff)) * 0x100000001b3ULL;
    }
    return digest;
}

int main(void) {
    const unsigned long long seeds[] = {0, 1, prime32, prime64};
    unsigned char *buf = malloc(LONG_MAX_BYTES);
    unsigned long long state = prime32;
    if (!buf) return 1;
    for (size_t i = 0; i < LONG_MAX_BYTES; i++) {
        buf[i] = (unsigned char)(state >> 56);
        state *= prime64;
    }
    printf("# Made by golden.c from the reference xxhash.h %d.%d.%d.\n", XXH_VERSION_MAJOR,
           XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
    printf("# one SEED LENGTH HASH: XXH3-64 of the first LENGTH bytes.\n");
    printf("# span SEED FIRST LAST DIGEST: FNV-1a over the hashes of lengths FIRST..LAST.\n");
    for (int s = 0; s < 4; s++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            printf("one %016llx %zu %016llx\n", seeds[s], lengths[i],
                   (unsigned long long)XXH3_64bits_withSeed(buf, lengths[i], seeds[s]));
        }
        for (size_t first = 0; first <= DENSE_MAX; first += BLOCK) {
            size_t last = first + BLOCK - 1 < DENSE_MAX ? first + BLOCK - 1 : DENSE_MAX;
            unsigned long long digest = 0xcbf29ce484222325ULL;
            for (size_t n = first; n <= last; n++) {
                digest = fold(digest, XXH3_64bits_withSeed(buf, n, seeds[s]));
            }
            printf("span %016llx %zu %zu %016llx\n", seeds[s], first, last, digest);
        }
    }
    free(buf);
    return 0;
}
