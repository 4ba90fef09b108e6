#include "app/backtest/recording_cache.hpp"

#include <doctest/doctest.h>

#include <map>

#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::app;
using namespace troupe::trading;
using trading::test::bars_of;

namespace {

constexpr int bars_of_one_mib = 5'000;  // 64 and 128 bytes each.

/// Recordings by name, and which were asked for.
struct shelf {
  std::map<std::string, std::string> kept;
  std::string asked;

  std::string add(const std::string& symbol, int bars = bars_of_one_mib) {
    const std::vector<symbol_data> data{bars_of(symbol, 1, bars)};
    auto bytes = encode_recording(data);
    auto name = name_of_recording(bytes);
    kept[name] = std::move(bytes);
    return name;
  }
  recording_cache::loader loader() {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = kept.find(name);
      if (found == kept.end()) return std::nullopt;
      asked += decode_recording(found->second)[0].rules.symbol;
      return found->second;
    };
  }
};

}  // namespace

TEST_CASE("a recording is named by the SHA-256 of its bytes") {
  CHECK(name_of_recording("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("the recordings that were used last stay, within the bytes allowed") {
  shelf from;
  const auto a = from.add("A"), b = from.add("B"), c = from.add("C");
  const auto size = bytes_of(decode_recording(from.kept[a]));
  recording_cache cache(2 * size, from.loader());
  const auto held = cache.get(a);
  CHECK((*held)[0].rules.symbol == "A");
  CHECK(cache.get(b) != held);
  CHECK(cache.get(a) == held);
  CHECK(from.asked == "AB");
  cache.get(c);  // Instead of B, which was not used for the longest time.
  CHECK(cache.get(a) == held);
  CHECK(from.asked == "ABC");
  cache.get(b);
  CHECK(from.asked == "ABCB");
}

TEST_CASE("what cannot be had is told with its reason and remedy, and nothing is kept of it") {
  shelf from;
  const auto good = from.add("A", 10), large = from.add("L");
  from.kept["0123"] = from.kept[good];
  const std::string text = "date,open\n";
  from.kept[name_of_recording(text)] = text;
  recording_cache cache(100'000, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = from.kept.find(name);
    return found == from.kept.end() ? std::nullopt : std::optional(found->second);
  });
  const auto reason = [&](const std::string& name) -> std::string {
    try {
      cache.get(name);
      return "none";
    } catch (const no_recording& e) {
      return e.what();
    }
  };
  CHECK(reason("4567").starts_with("missing_data: "));
  CHECK(reason("0123").starts_with("damaged_data: "));
  CHECK(reason(name_of_recording(text)).starts_with("wrong_data: "));
  CHECK(reason(large).find("backtests.data_max_mib") != std::string::npos);
  from.kept.erase("0123");
  CHECK(reason("0123").starts_with("missing_data: "));
  CHECK(reason(good) == "none");
}
