// The C++ worker of bench/engine. It speaks what ../goworker/main.go says. Without
// Boost 1.83 or newer it builds all the same and lists nothing.
#include <iostream>
#include <sstream>

#include "session.hpp"
#include "workload.hpp"

#if __has_include(<boost/unordered/concurrent_flat_map.hpp>)
#define WITH_BOOST 1
#include "boost_store.hpp"
#endif

namespace {

// What sumKeys of ../goworker/main.go says.
std::uint64_t sum_keys(std::uint64_t count) {
  std::uint64_t sum = 0;
  std::string key;
  for (std::uint64_t i = 0; i < count; i++) {
    key.clear();
    workload::append_key(key, i);
    for (unsigned char c : key) sum = (sum + c) * 0x100000001b3;
    sum += workload::draw(3, i, 1000003) + workload::scatter(i, count, 5);
  }
  std::string value = workload::new_value(100);
  workload::set_stamp(value, workload::stamp(key, workload::mix(9)));
  return sum + workload::sum_borrowed(value) + workload::sum_copied(value) + static_cast<unsigned char>(value[50]);
}

std::vector<std::uint32_t> read_zipf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream raw;
  if (!file || !(raw << file.rdbuf())) throw std::invalid_argument(path + ": cannot be read");
  const std::string bytes = raw.str();
  if (bytes.size() % 4 != 0) throw std::invalid_argument(path + ": is no list of uint32");
  std::vector<std::uint32_t> indexes(bytes.size() / 4);
  std::memcpy(indexes.data(), bytes.data(), bytes.size());
  return indexes;
}

// The answer to "keys", which needs no store.
std::string keys_command(std::istream& words) {
  std::uint64_t count;
  if (!(words >> count)) throw std::invalid_argument("keys wants COUNT");
  return "ok sum=" + std::to_string(sum_keys(count));
}

template <class Session>
std::string command(std::unique_ptr<Session>& current, const std::string& line) {
  std::istringstream words(line);
  std::ostringstream answer;
  std::string word;
  words >> word;
  if (word == "keys") return keys_command(words);
  if (word == "load") {
    std::size_t keys, value_bytes;
    std::string path;
    if (!(words >> keys >> value_bytes >> path)) throw std::invalid_argument("load wants KEYS VALUEBYTES ZIPFFILE");
    if (keys < 1 || value_bytes < workload::value_bytes_min) {
      throw std::invalid_argument("want at least one key and values of 16 bytes");
    }
    current = std::make_unique<Session>(keys, value_bytes, read_zipf(path));
    answer << "ok base=" << current->base << " loaded=" << current->loaded << " rest=" << current->rest
           << " ns=" << current->load_nanos;
    return answer.str();
  }
  if (word != "measure") throw std::invalid_argument("no command " + line);
  if (!current) throw std::invalid_argument("nothing is loaded");
  std::string op;
  std::size_t arg, ops;
  std::uint64_t seed;
  if (!(words >> op >> arg >> ops >> seed)) throw std::invalid_argument("measure wants OP ARG OPS SEED");
  const std::optional<tally> t = current->measure(op, arg, ops, seed);
  if (!t) return "no";
  answer << "ok ops=" << t->ops << " ns=" << t->nanos << " hits=" << t->hits << " sum=" << t->sum
         << " worst=" << t->worst << " slow=" << t->slow;
  return answer.str();
}

template <class Session>
int serve() {
  std::unique_ptr<Session> current;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    try {
      std::cout << command(current, line) << std::endl;
    } catch (const std::exception& problem) {
      std::cout << "error " << problem.what() << std::endl;
    }
  }
  return 0;
}

// no_session answers the commands that need no store, where there is none.
struct no_session {
  no_session(std::size_t, std::size_t, const std::vector<std::uint32_t>&) {
    throw std::invalid_argument("this worker was built without a store");
  }
  std::optional<tally> measure(const std::string&, std::size_t, std::size_t, std::uint64_t) { return {}; }
  std::uint64_t base = 0, loaded = 0, rest = 0;
  std::int64_t load_nanos = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> args(arguments + 1, arguments + count);
  if (args == std::vector<std::string>{"list"}) {
#ifdef WITH_BOOST
    std::cout << "boost\t" << boost_store::label() << "\t\n";
#endif
    return 0;
  }
#ifdef WITH_BOOST
  if (args == std::vector<std::string>{"run", "boost"}) return serve<session<boost_store>>();
#endif
  if (args == std::vector<std::string>{"run", "none"}) return serve<no_session>();
  std::cerr << "cpp worker: want list, or run NAME with a name of the list (or none)\n";
  return 1;
}
