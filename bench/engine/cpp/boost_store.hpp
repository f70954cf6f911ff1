// boost::concurrent_flat_map as a store. Every write stores a copy of the value and
// of the key.
#pragma once

#include <boost/unordered/concurrent_flat_map.hpp>
#include <boost/version.hpp>
#include <string>
#include <string_view>

class boost_store {
 public:
  void insert(std::string_view key, const std::string& value) { set(key, value); }

  void set(std::string_view key, const std::string& value) {
    map_.insert_or_assign(std::string(key), value);
  }

  void erase(std::string_view key) { map_.erase(key); }

  // Calls read with the stored bytes themselves.
  template <class Read>
  bool borrow(std::string_view key, Read read) const {
    return map_.cvisit(key, [&](const auto& entry) { read(entry.second); }) != 0;
  }

  // Calls write with the stored bytes.
  template <class Write>
  bool overwrite(std::string_view key, Write write) {
    return map_.visit(key, [&](auto& entry) { write(entry.second); }) != 0;
  }

  static std::string label() {
    return "Boost " + std::to_string(BOOST_VERSION / 100000) + "." +
           std::to_string(BOOST_VERSION / 100 % 1000) + " concurrent_flat_map (C++)";
  }

 private:
  // The default hash of Boost, for both kinds of string alike, so that a lookup
  // needs no std::string.
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return boost::hash<std::string_view>{}(key);
    }
  };
  boost::concurrent_flat_map<std::string, std::string, hash, std::equal_to<>> map_;
};
