// The workload that ../workload/workload.go specifies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the stamps are little-endian");

namespace workload {

constexpr std::uint64_t absent_base = std::uint64_t{1} << 40;
constexpr std::uint64_t fresh_base = std::uint64_t{1} << 41;
constexpr std::size_t value_bytes_min = 16;

inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

inline void append_digits(std::string& text, std::uint64_t x, int count) {
  for (int digit = 0; digit < count; digit++) {
    text += "0123456789abcdef"[x >> (60 - 4 * digit) & 15];
  }
}

inline void append_key(std::string& text, std::uint64_t i) {
  const std::uint64_t a = mix(i), b = mix(a ^ 0x6b65797374726561);
  append_digits(text, a, 16);
  append_digits(text, b, static_cast<int>(b % 17));
}

// key_list is keys that lie side by side in one piece of memory.
struct key_list {
  std::string arena;
  std::vector<std::string_view> keys;

  template <class Index>
  key_list(std::size_t count, Index index) {
    arena.reserve(count * 32);
    std::vector<std::size_t> ends;
    ends.reserve(count);
    for (std::size_t j = 0; j < count; j++) {
      append_key(arena, index(j));
      ends.push_back(arena.size());
    }
    keys.reserve(count);
    std::size_t start = 0;
    for (std::size_t end : ends) {
      keys.emplace_back(arena.data() + start, end - start);
      start = end;
    }
  }
  // The views point into the arena, so the list stays where it is.
  key_list(const key_list&) = delete;
  key_list& operator=(const key_list&) = delete;
};

inline std::uint64_t word(const char* bytes) {
  std::uint64_t x;
  std::memcpy(&x, bytes, 8);
  return x;
}

inline std::uint64_t stamp(std::string_view key, std::uint64_t salt) {
  return word(key.data()) ^ salt;
}

inline void set_stamp(std::string& value, std::uint64_t stamp) {
  std::memcpy(value.data(), &stamp, 8);
  value.back() = static_cast<char>(static_cast<unsigned char>(stamp) ^ 0x5a);
}

inline std::string new_value(std::size_t size) {
  std::string value(size, '\0');
  for (std::size_t j = 0; j < size; j++) value[j] = static_cast<char>(j * 31 + 7);
  set_stamp(value, 0);
  return value;
}

inline std::uint64_t sum_borrowed(std::string_view value) { return word(value.data()); }

inline std::uint64_t sum_copied(std::string_view value) {
  return word(value.data()) + static_cast<unsigned char>(value.back());
}

inline std::uint64_t draw(std::uint64_t seed, std::uint64_t j, std::uint64_t n) {
  __extension__ using wide = unsigned __int128;
  return static_cast<std::uint64_t>(wide{mix(mix(seed) + j)} * n >> 64);
}

inline std::uint64_t scatter(std::uint64_t j, std::uint64_t n, std::uint64_t offset) {
  return (j * 2654435761 + offset) % n;
}

inline std::size_t probes(std::size_t n) {
  return std::clamp<std::size_t>(4 * n, 4096, std::size_t{1} << 20);
}

inline std::size_t segment(std::size_t n) {
  return std::min({std::max<std::size_t>(n / 10, 256), std::size_t{200000}, n});
}

}  // namespace workload
