// A loaded store and what is measured on it.
#pragma once

#include <malloc.h>

#include <barrier>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "workload.hpp"

using clock_type = std::chrono::steady_clock;

struct tally {
  std::size_t ops = 0;
  std::int64_t nanos = 0;
  std::size_t hits = 0;
  std::uint64_t sum = 0;
  std::int64_t worst = 0;
  std::size_t slow = 0;

  void add(std::uint64_t more) {
    hits++;
    sum += more;
  }
};

class stopwatch {
 public:
  std::int64_t nanos() const {
    return std::chrono::nanoseconds(clock_type::now() - started_).count();
  }

 private:
  clock_type::time_point started_ = clock_type::now();
};

// Resident bytes as Linux tells them; 0 elsewhere.
inline std::uint64_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kilobytes;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

// Makes the compiler believe that the bytes at p are looked at.
inline void keep(const void* p) { asm volatile("" : : "g"(p) : "memory"); }

// ring walks a list of keys round and round.
class ring {
 public:
  using list = std::vector<std::string_view>;

  ring(const list& keys, std::uint64_t seed, std::size_t skip = 0)
      : keys_(keys), at_((workload::draw(seed, 0, keys.size()) + skip) % keys.size()) {}

  std::string_view next() {
    const std::string_view key = keys_[at_];
    if (++at_ == keys_.size()) at_ = 0;
    return key;
  }

  // The first of the next count keys that lie side by side.
  const std::string_view* run(std::size_t count) {
    if (at_ + count > keys_.size()) at_ = 0;
    at_ += count;
    return keys_.data() + at_ - count;
  }

 private:
  const list& keys_;
  std::size_t at_;
};

template <class Store>
class session {
 public:
  session(std::size_t keys, std::size_t value_bytes, const std::vector<std::uint32_t>& zipf)
      : keys_(keys),
        value_bytes_(value_bytes),
        probes_(workload::probes(keys), [&](std::uint64_t j) { return workload::draw(1, j, keys); }),
        absent_(workload::probes(keys), [](std::uint64_t j) { return workload::absent_base + j; }),
        zipf_(zipf.size(), [&](std::uint64_t j) { return zipf[j]; }) {
    malloc_trim(0);
    base = resident_bytes();
    stopwatch watch;
    store_ = std::make_unique<Store>();
    fill(*store_, [](auto insert) { insert(); });
    load_nanos = watch.nanos();
    loaded = resident_bytes();
    malloc_trim(0);
    rest = resident_bytes();
  }

  // Nothing where the store does not have the operation.
  std::optional<tally> measure(const std::string& op, std::size_t arg, std::size_t ops, std::uint64_t seed) {
    ring probes(probes_.keys, seed);
    if (op == "get") return get(probes, ops);
    if (op == "copy") return copy(probes, ops);
    if (op == "miss") return copy(ring(absent_.keys, seed), ops);
    if (op == "clone") return clone(probes, ops);
    if (op == "set") return set(probes, ops, workload::mix(seed));
    if (op == "inplace") return in_place(probes, ops, workload::mix(seed));
    if (op == "insert") return segments(ops, seed, true);
    if (op == "delete") return segments(ops, seed, false);
    if (op == "mixed") return mixed(probes_.keys, ops, seed);
    if (op == "mixedzipf") return mixed(zipf_.keys, ops, seed);
    if (op == "grow") return grow();
    if (op == "gc") return {};
    if (op != "batch" && op != "batchclone") throw std::invalid_argument("no operation " + op);
    if (arg < 1 || arg > probes_.keys.size()) {
      throw std::invalid_argument("a batch of " + std::to_string(arg) + " keys is out of range");
    }
    return op == "batch" ? batch(probes, arg, ops) : batch_clone(probes, arg, ops);
  }

  std::uint64_t base = 0, loaded = 0, rest = 0;
  std::int64_t load_nanos = 0;

 private:
  bool copy_out(std::string_view key, std::string& buffer) const {
    return store_->borrow(key, [&](const std::string& value) { buffer.assign(value); });
  }

  tally get(ring keys, std::size_t ops) {
    tally t{.ops = ops};
    stopwatch watch;
    for (std::size_t i = 0; i < ops; i++) {
      store_->borrow(keys.next(), [&](const std::string& value) { t.add(workload::sum_borrowed(value)); });
    }
    t.nanos = watch.nanos();
    return t;
  }

  tally copy(ring keys, std::size_t ops) {
    std::string buffer(value_bytes_, '\0');
    tally t{.ops = ops};
    stopwatch watch;
    for (std::size_t i = 0; i < ops; i++) {
      if (copy_out(keys.next(), buffer)) {
        keep(buffer.data());
        t.add(workload::sum_copied(buffer));
      }
    }
    t.nanos = watch.nanos();
    return t;
  }

  tally clone(ring keys, std::size_t ops) {
    tally t{.ops = ops};
    stopwatch watch;
    for (std::size_t i = 0; i < ops; i++) {
      std::string value;
      if (store_->borrow(keys.next(), [&](const std::string& stored) { value = stored; })) {
        keep(value.data());
        t.add(workload::sum_copied(value));
      }
    }
    t.nanos = watch.nanos();
    return t;
  }

  tally set(ring keys, std::size_t ops, std::uint64_t salt) {
    std::string value = workload::new_value(value_bytes_);
    stopwatch watch;
    for (std::size_t i = 0; i < ops; i++) {
      const std::string_view key = keys.next();
      workload::set_stamp(value, workload::stamp(key, salt));
      store_->set(key, value);
    }
    return {.ops = ops, .nanos = watch.nanos()};
  }

  tally in_place(ring keys, std::size_t ops, std::uint64_t salt) {
    std::string value = workload::new_value(value_bytes_);
    stopwatch watch;
    for (std::size_t i = 0; i < ops; i++) {
      const std::string_view key = keys.next();
      workload::set_stamp(value, workload::stamp(key, salt));
      store_->overwrite(key, [&](std::string& stored) { stored.assign(value); });
    }
    return {.ops = ops, .nanos = watch.nanos()};
  }

  tally segments(std::size_t ops, std::uint64_t seed, bool inserts) {
    const std::uint64_t offset = workload::draw(seed, 0, keys_);
    const workload::key_list list(workload::segment(keys_), [&](std::uint64_t j) {
      return inserts ? workload::fresh_base + (seed << 24) + j : workload::scatter(j, keys_, offset);
    });
    tally t;
    while (t.ops < ops) {
      const std::size_t count = std::min(list.keys.size(), ops - t.ops);
      stopwatch watch;
      inserts ? insert_first(list, count) : erase_first(list, count);
      t.nanos += watch.nanos();
      inserts ? erase_first(list, count) : insert_first(list, count);
      t.ops += count;
    }
    return t;
  }

  void insert_first(const workload::key_list& list, std::size_t count) {
    std::string value = workload::new_value(value_bytes_);
    const std::uint64_t salt = workload::mix(0);
    for (std::size_t i = 0; i < count; i++) {
      workload::set_stamp(value, workload::stamp(list.keys[i], salt));
      store_->insert(list.keys[i], value);
    }
  }

  void erase_first(const workload::key_list& list, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) store_->erase(list.keys[i]);
  }

  // All values of a batch one behind the other in one buffer.
  tally batch(ring keys, std::size_t size, std::size_t ops) {
    std::string buffer;
    std::vector<std::size_t> ends;
    buffer.reserve(size * value_bytes_);
    ends.reserve(size);
    tally t;
    stopwatch watch;
    for (; t.ops < ops; t.ops += size) {
      buffer.clear();
      ends.clear();
      const std::string_view* first = keys.run(size);
      for (std::size_t i = 0; i < size; i++) {
        if (store_->borrow(first[i], [&](const std::string& value) { buffer.append(value); })) {
          ends.push_back(buffer.size());
        }
      }
      std::size_t start = 0;
      for (std::size_t end : ends) {
        t.add(workload::sum_copied(std::string_view(buffer).substr(start, end - start)));
        start = end;
      }
    }
    t.nanos = watch.nanos();
    return t;
  }

  // Each value of a batch in memory of its own.
  tally batch_clone(ring keys, std::size_t size, std::size_t ops) {
    tally t;
    stopwatch watch;
    for (; t.ops < ops; t.ops += size) {
      std::vector<std::string> values;
      values.reserve(size);
      const std::string_view* first = keys.run(size);
      for (std::size_t i = 0; i < size; i++) {
        store_->borrow(first[i], [&](const std::string& value) { values.push_back(value); });
      }
      for (const std::string& value : values) t.add(workload::sum_copied(value));
    }
    t.nanos = watch.nanos();
    return t;
  }

  // The time is from the first thread's start to the last one's end, as they see
  // it themselves: the thread that waits for them may get no core meanwhile.
  tally mixed(const ring::list& keys, std::size_t ops, std::uint64_t seed) {
    constexpr std::size_t threads = 2;
    std::barrier start(threads);
    std::vector<tally> parts(threads);
    std::vector<clock_type::time_point> begins(threads), ends(threads);
    std::vector<std::thread> running;
    for (std::size_t i = 0; i < threads; i++) {
      running.emplace_back([&, i] {
        start.arrive_and_wait();
        begins[i] = clock_type::now();
        parts[i] = mixed_part(ring(keys, seed, i * keys.size() / threads), ops / threads, workload::mix(seed));
        ends[i] = clock_type::now();
      });
    }
    tally all;
    for (std::size_t i = 0; i < threads; i++) {
      running[i].join();
      all.ops += parts[i].ops;
      all.hits += parts[i].hits;
    }
    const auto took = *std::max_element(ends.begin(), ends.end()) - *std::min_element(begins.begin(), begins.end());
    all.nanos = std::chrono::nanoseconds(took).count();
    return all;
  }

  // Nine reads with copy, then a write.
  tally mixed_part(ring keys, std::size_t ops, std::uint64_t salt) {
    std::string value = workload::new_value(value_bytes_), buffer(value_bytes_, '\0');
    tally t{.ops = ops};
    for (std::size_t i = 0; i < ops; i++) {
      const std::string_view key = keys.next();
      if (i % 10 == 9) {
        workload::set_stamp(value, workload::stamp(key, salt));
        store_->set(key, value);
      } else if (copy_out(key, buffer)) {
        keep(buffer.data());
        t.hits++;
      }
    }
    return t;
  }

  tally grow() {
    tally t{.ops = keys_};
    {
      Store store;
      fill(store, [&](auto insert) {
        stopwatch watch;
        insert();
        const std::int64_t nanos = watch.nanos();
        t.nanos += nanos;
        t.worst = std::max(t.worst, nanos);
        t.slow += nanos > 1'000'000;
      });
    }
    malloc_trim(0);
    return t;
  }

  // Inserts all keys; each insert is handed to around, which runs it.
  template <class Around>
  void fill(Store& store, Around around) {
    std::string key, value = workload::new_value(value_bytes_);
    const std::uint64_t salt = workload::mix(0);
    for (std::uint64_t i = 0; i < keys_; i++) {
      key.clear();
      workload::append_key(key, i);
      workload::set_stamp(value, workload::stamp(key, salt));
      around([&] { store.insert(key, value); });
    }
  }

  std::size_t keys_, value_bytes_;
  workload::key_list probes_, absent_, zipf_;
  std::unique_ptr<Store> store_;
};
