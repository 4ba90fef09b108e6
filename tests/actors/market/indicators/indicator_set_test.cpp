#include "actors/market/indicators/indicator_set.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "golden.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::market {

namespace {

using json = nlohmann::json;
using values = std::vector<double>;
using indicators::bar_input;
using indicators::golden;
using indicators::none;

const std::vector<std::string> all_texts{"sma(14)",
                                         "sma(1)",
                                         "ema(14)",
                                         "ema(1)",
                                         "wma(14)",
                                         "wma(1)",
                                         "dema(5)",
                                         "tema(5)",
                                         "trix(5)",
                                         "kama(10)",
                                         "rsi(14)",
                                         "macd(12,26,9)",
                                         "ppo(3,9)",
                                         "roc(10)",
                                         "mom(1)",
                                         "mom(10)",
                                         "stoch(14,3,3)",
                                         "stoch(1,1,1)",
                                         "stochrsi(14,5,3)",
                                         "willr(14)",
                                         "cci(20)",
                                         "stddev(5)",
                                         "bbands(20,2)",
                                         "atr(14)",
                                         "natr(14)",
                                         "adx(14)",
                                         "sar(0.02,0.2)",
                                         "aroon(14)",
                                         "obv",
                                         "mfi(14)",
                                         "vwap"};

indicator_set make_set(const std::vector<std::string>& texts = all_texts) {
  return indicator_set(indicator_plan(texts));
}

values fold(indicator_set& set, const bar_input& bar) {
  values out(set.names().size());
  CHECK(set.update(bar, out));
  return out;
}

bool same_bits(const values& a, const values& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) {
    return (std::isnan(x) && std::isnan(y)) ||
           std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
  });
}

std::string saved(const indicator_set& set) {
  std::string text;
  set.save(text);
  return text;
}

std::map<std::string, double> named(const indicator_set& set, const values& out) {
  std::map<std::string, double> result;
  for (std::size_t i = 0; i < out.size(); ++i) result[set.names()[i]] = out[i];
  return result;
}

bar_input flat_bar(double price, double volume, int minute = 0) {
  return {price, price, price, price, volume, time_point(std::chrono::minutes(minute))};
}

/// A random walk with flat stretches, jumps, gaps over midnight and bars without volume.
std::vector<bar_input> random_bars(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  auto real = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random()) / 4294967296.0;
  };
  std::vector<bar_input> bars;
  double price = std::pow(10.0, real(-7, 7));
  std::int64_t minute = 29'000'000;
  while (bars.size() < count) {
    minute += random() % 20 == 0 ? 700 : 1;
    const bool flat = random() % 4 == 0;
    const double open = price;
    if (!flat) price *= random() % 50 == 0 ? real(0.01, 3) : real(0.99, 1.01);
    const double spread = flat ? 0 : real(0, 0.01);
    bars.push_back({open, std::max(open, price) * (1 + spread),
                    std::min(open, price) * (1 - spread), price,
                    random() % 5 == 0 ? 0 : std::floor(real(0, 1e6)),
                    time_point(std::chrono::minutes(minute))});
  }
  return bars;
}

void check_restart_at_every_bar(const std::vector<bar_input>& bars) {
  auto whole = make_set();
  auto restarted = make_set();
  for (const auto& bar : bars) {
    auto again = make_set();
    again.load(json::parse(saved(restarted)));
    restarted = std::move(again);
    REQUIRE(same_bits(fold(whole, bar), fold(restarted, bar)));
    REQUIRE(saved(whole) == saved(restarted));
  }
}

}  // namespace

TEST_CASE("a set restarted at every bar continues bit by bit: golden series") {
  check_restart_at_every_bar(golden().bars);
}

TEST_CASE("a set restarted at every bar continues bit by bit: random series") {
  for (std::uint32_t seed = 1; seed <= 10; ++seed)
    check_restart_at_every_bar(random_bars(seed, 150));
}

TEST_CASE("any restart point equals the whole") {
  const auto bars = random_bars(77, 200);
  auto whole = make_set();
  std::vector<values> expected;
  for (const auto& bar : bars) expected.push_back(fold(whole, bar));
  auto head = make_set();
  for (std::size_t cut = 0; cut < bars.size(); cut += 7) {
    auto tail = make_set();
    tail.load(json::parse(saved(head)));
    for (auto i = cut; i < bars.size(); ++i) REQUIRE(same_bits(fold(tail, bars[i]), expected[i]));
    for (auto i = cut; i < std::min(cut + 7, bars.size()); ++i) fold(head, bars[i]);
  }
}

TEST_CASE("a copy goes its own way") {
  auto set = make_set();
  for (const auto& bar : golden().bars) fold(set, bar);
  auto copy = set;
  const auto before = saved(set);
  fold(copy, flat_bar(50, 1));
  CHECK(saved(set) == before);
  CHECK(saved(copy) != before);
}

TEST_CASE("equal prices: nothing moves, nothing is strong, the newest bar is the extreme") {
  for (const double price : {100.0, 0.1, 1e-5, 99'999'999.9}) {
    auto set = make_set();
    std::map<std::string, double> last;
    for (int i = 0; i < 200; ++i) last = named(set, fold(set, flat_bar(price, 7, i)));
    for (const auto* name :
         {"stddev_5", "rsi_14", "atr_14", "natr_14", "cci_20", "willr_14", "mfi_14", "adx_14",
          "plus_di_14", "minus_di_14", "stoch_k_14_3_3", "stoch_d_14_3_3", "stochrsi_k_14_5_3",
          "stochrsi_d_14_5_3", "roc_10", "mom_10"})
      CHECK_MESSAGE(last.at(name) == 0, name << ' ' << last.at(name) << " at price " << price);
    for (const auto* name :
         {"sma_14", "ema_14", "wma_14", "dema_5", "tema_5", "kama_10", "bb_upper_20_2",
          "bb_middle_20_2", "bb_lower_20_2", "sar_0.02_0.2", "vwap"})
      CHECK(last.at(name) == doctest::Approx(price).epsilon(1e-12));
    for (const auto* name :
         {"macd_12_26_9", "macd_signal_12_26_9", "macd_hist_12_26_9", "trix_5", "ppo_3_9"})
      CHECK(std::abs(last.at(name)) <= 1e-9 * price);
    CHECK(last.at("aroon_up_14") == 100);
    CHECK(last.at("aroon_down_14") == 100);
    CHECK(last.at("obv") == 7);
  }
}

TEST_CASE("what stands still after it has moved is no movement, whatever rounding has left") {
  constexpr std::size_t window = 10;
  auto strength = make_set({"stochrsi(14,10,1)"});
  auto adaptive = make_set({"kama(10)"});
  auto money = make_set({"mfi(10)"});
  std::mt19937 random(1);
  std::vector<double> closes;
  double price = 100, expected = 0;
  int stills = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 8 == 0) price = 50 + static_cast<double>(random() % 1'000'000'000) * 1e-7;
    closes.push_back(price);
    const auto bar = flat_bar(price, 1);
    const double k = fold(strength, bar)[0], average = fold(adaptive, bar)[0],
                 flow = fold(money, bar)[0];
    if (i < static_cast<int>(2 * window + 14)) {
      expected = average;
      continue;
    }
    const auto from = closes.end() - window - 1;
    double path = 0;
    for (auto at = from + 1; at != closes.end(); ++at) path += std::abs(*at - *(at - 1));
    if (path == 0) REQUIRE(flow == 0);
    const double pace = (path == 0 ? 1 : std::abs(price - *from) / path) * (2.0 / 3 - 2.0 / 31);
    expected += (price - expected) * (pace + 2.0 / 31) * (pace + 2.0 / 31);
    CAPTURE(i);
    REQUIRE(average == doctest::Approx(expected).epsilon(1e-9));
    if (std::any_of(from + 1, closes.end(), [&](double c) { return c != price; })) continue;
    ++stills;
    REQUIRE(k == 0);
  }
  CHECK(stills > 1'000);
}

TEST_CASE("without volume OBV stays, MFI is 0 and VWAP has no value") {
  auto set = make_set({"obv", "mfi(14)", "vwap"});
  values out;
  for (auto bar : golden().bars) {
    bar.volume = 0;
    out = fold(set, bar);
  }
  CHECK(out[0] == 0);
  CHECK(out[1] == 0);
  CHECK(std::isnan(out[2]));
}

TEST_CASE("VWAP weighs typical prices by volume and begins anew at 00:00 UTC") {
  auto set = make_set({"vwap"});
  constexpr int midnight = 24 * 60;
  auto at = [&](int minute, double high, double low, double close, double volume) {
    const bar_input bar{close, high, low, close, volume, time_point(std::chrono::minutes(minute))};
    return fold(set, bar)[0];
  };
  CHECK(std::isnan(at(midnight - 3, 12, 6, 9, 0)));
  CHECK(at(midnight - 2, 12, 6, 9, 10) == 9);
  CHECK(at(midnight - 1, 24, 12, 18, 20) == 15);
  CHECK(at(midnight, 40, 20, 30, 5) == 30);
  CHECK(at(midnight + 1, 40, 20, 30, 0) == 30);
  CHECK(std::isnan(at(3 * midnight, 40, 20, 30, 0)));
}

TEST_CASE("a bar that is not usable changes nothing and has no values") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  auto set = make_set();
  for (const auto& bar : golden().bars) fold(set, bar);
  const auto before = saved(set);
  for (const double bad : {none, inf, -inf, 0.0, -1.0, 1e13, 1e308}) {
    for (auto field : {&bar_input::open, &bar_input::high, &bar_input::low, &bar_input::close,
                       &bar_input::volume}) {
      auto bar = golden().bars[0];
      bar.*field = bad;
      if (is_usable(bar)) {
        CHECK(field == &bar_input::volume);
        continue;
      }
      values out(set.names().size(), 1);
      CHECK_FALSE(set.update(bar, out));
      for (const double x : out) CHECK(std::isnan(x));
    }
  }
  CHECK(saved(set) == before);
}

TEST_CASE("the largest bars overflow nothing, and are forgotten") {
  auto hit = make_set();
  auto calm = make_set();
  const auto bars = random_bars(5, 2'000);
  fold(hit, flat_bar(1, 1));
  fold(hit, flat_bar(1e12, 1e18));
  fold(hit, flat_bar(1e-12, 0));
  fold(hit, flat_bar(1e12, 1e18));
  values after;
  values expected;
  for (const auto& bar : bars) {
    after = fold(hit, bar);
    expected = fold(calm, bar);
    for (std::size_t i = 0; i < after.size(); ++i)
      REQUIRE((!std::isnan(after[i]) || std::isnan(expected[i])));
  }
  for (std::size_t i = 0; i < after.size(); ++i)
    if (hit.names()[i] != "obv" && hit.names()[i] != "sar_0.02_0.2")
      CHECK_MESSAGE(after[i] == doctest::Approx(expected[i]).epsilon(1e-9), hit.names()[i]);
  CHECK(json::parse(saved(hit)).is_array());
}

TEST_CASE("each output begins where TA-Lib's lookback says") {
  struct row {
    std::string text;
    std::vector<int> first;
  };
  for (const auto& r : {row{"sma(5)", {4}},
                        row{"sma(1)", {0}},
                        row{"ema(5)", {4}},
                        row{"wma(5)", {4}},
                        row{"dema(5)", {8}},
                        row{"tema(5)", {12}},
                        row{"trix(5)", {13}},
                        row{"kama(5)", {5}},
                        row{"rsi(5)", {5}},
                        row{"macd(3,6,4)", {8, 8, 8}},
                        row{"ppo(3,6)", {5}},
                        row{"roc(5)", {5}},
                        row{"mom(1)", {1}},
                        row{"stoch(5,3,2)", {7, 7}},
                        row{"stochrsi(5,4,3)", {10, 10}},
                        row{"willr(5)", {4}},
                        row{"cci(5)", {4}},
                        row{"stddev(5)", {4}},
                        row{"bbands(5,2)", {4, 4, 4}},
                        row{"atr(5)", {5}},
                        row{"natr(5)", {5}},
                        row{"adx(5)", {9, 5, 5}},
                        row{"sar(0.02,0.2)", {1}},
                        row{"aroon(5)", {5, 5}},
                        row{"obv", {0}},
                        row{"mfi(5)", {5}},
                        row{"vwap", {0}}}) {
    auto set = make_set({r.text});
    std::vector<int> first(set.names().size(), -1);
    for (int i = 0; i < 20; ++i) {
      const auto out = fold(set, golden().bars[static_cast<std::size_t>(i)]);
      for (std::size_t k = 0; k < out.size(); ++k)
        if (first[k] < 0 && !std::isnan(out[k])) first[k] = i;
    }
    CHECK_MESSAGE(first == r.first, r.text);
  }
}

TEST_CASE("the ring's tricks give what a plain look at the window gives") {
  for (const int n : {1, 2, 3, 7, 50}) {
    const auto bars = random_bars(static_cast<std::uint32_t>(n), 400);
    auto set = make_set({"stoch(" + std::to_string(n) + ",1,1)", "sma(" + std::to_string(n) + ')',
                         "aroon(" + std::to_string(n + 1) + ')'});
    for (int i = 0; i < 400; ++i) {
      const auto out = fold(set, bars[static_cast<std::size_t>(i)]);
      if (i <= n + 1) continue;
      double highest = 0, lowest = 1e300, sum = 0;
      int high_age = 0, low_age = 0;
      double aroon_high = 0, aroon_low = 1e300;
      for (int age = 0; age <= n + 1; ++age) {
        const auto& bar = bars[static_cast<std::size_t>(i - age)];
        if (age < n) {
          highest = std::max(highest, bar.high);
          lowest = std::min(lowest, bar.low);
          sum += bar.close;
        }
        if (bar.high > aroon_high) aroon_high = bar.high, high_age = age;
        if (bar.low < aroon_low) aroon_low = bar.low, low_age = age;
      }
      const double close = bars[static_cast<std::size_t>(i)].close;
      const double raw = highest > lowest ? (close - lowest) / (highest - lowest) * 100 : 0;
      REQUIRE(std::abs(out[0] - raw) < 1e-9);
      REQUIRE(out[2] == doctest::Approx(sum / n).epsilon(1e-9));
      REQUIRE(out[3] == doctest::Approx(100.0 * (n + 1 - high_age) / (n + 1)));
      REQUIRE(out[4] == doctest::Approx(100.0 * (n + 1 - low_age) / (n + 1)));
    }
  }
}

TEST_CASE("a damaged state is refused and changes nothing") {
  auto set = make_set();
  for (const auto& bar : golden().bars) fold(set, bar);
  const auto text = saved(set);
  const auto good = json::parse(text);
  auto refuses = [&](const json& state, const char* why) {
    CHECK_THROWS_AS_MESSAGE(set.load(state), bad_state, why);
    CHECK(saved(set) == text);
  };
  for (const auto& other : {json(nullptr), json(5), json("x"), json::object(), json::array()})
    refuses(other, "not a state");
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto lacks = good;
    lacks.erase(i);
    refuses(lacks, "an indicator is missing");
    auto more = good;
    more[i].push_back(0);
    refuses(more, "a number too many");
    auto other = good;
    other[i] = json::object();
    refuses(other, "an object instead of numbers");
    for (std::size_t k = 0; k < good[i].size(); ++k) {
      auto fewer = good;
      fewer[i].erase(k);
      refuses(fewer, "a number too few");
      for (const auto& bad :
           {json(nullptr), json("1"), json::array(), json(1e300), json(-1e61), json(true)}) {
        auto damaged = good;
        damaged[i][k] = bad;
        refuses(damaged, "not a sensible number");
      }
    }
  }
}

TEST_CASE("every place in a ring is bounded by the ring") {
  struct row {
    std::string text;
    std::size_t field;  // Of the saved numbers.
    std::uint32_t most;
  };
  for (const auto& r :
       {row{"sma(14)", 2, 13},         row{"wma(14)", 2, 13},       row{"kama(14)", 5, 13},
        row{"ema(14)", 1, 14},         row{"rsi(14)", 3, 15},       row{"macd(12,26,9)", 3, 26},
        row{"roc(14)", 0, 13},         row{"mom(14)", 0, 13},       row{"stoch(14,4,3)", 2, 13},
        row{"stoch(14,4,3)", 34, 3},   row{"stoch(14,4,3)", 42, 2}, row{"stochrsi(9,5,3)", 6, 4},
        row{"stochrsi(9,5,3)", 20, 2}, row{"willr(14)", 2, 13},     row{"cci(14)", 0, 13},
        row{"stddev(14)", 4, 13},      row{"bbands(14,2)", 4, 13},  row{"adx(14)", 7, 28},
        row{"mfi(14)", 5, 13},         row{"aroon(14)", 0, 14},     row{"aroon(14)", 2, 14},
        row{"aroon(14)", 3, 14}}) {
    auto set = make_set({r.text});
    auto state = json::parse(saved(set));
    state[1][r.field] = r.most;
    CHECK_NOTHROW_MESSAGE(set.load(state), r.text << ' ' << r.field);
    for (const auto& bad : {json(r.most + 1), json(-1), json(0.5), json(4294967296LL)}) {
      state[1][r.field] = bad;
      CHECK_THROWS_AS_MESSAGE(set.load(state), bad_state, r.text << ' ' << r.field);
    }
  }
}

TEST_CASE("a state belongs to one list") {
  auto ten = make_set({"ema(10)"});
  auto twenty = make_set({"ema(20)"});
  CHECK_THROWS_WITH_AS(twenty.load(json::parse(saved(ten))),
                       "indicator state was saved for another list of indicators", bad_state);
}

TEST_CASE("whatever state load accepts can be updated and saved") {
  auto set = make_set();
  for (const auto& bar : golden().bars) fold(set, bar);
  const auto good = json::parse(saved(set));
  const std::vector<json> numbers{0,     1,      2,           5,    13,          14,   15,
                                  27,    1000,   4294967295U, -1,   0.5,         -0.0, 1e60,
                                  -1e60, 5e-324, 1e-300,      1e18, 4294967296LL};
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto hostile = good;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      auto& part = hostile[1 + random() % (good.size() - 1)];
      if (!part.empty()) part[random() % part.size()] = numbers[random() % numbers.size()];
    }
    auto victim = make_set();
    try {
      victim.load(hostile);
    } catch (const bad_state&) {
      continue;
    }
    ++accepted;
    for (std::size_t i = 0; i < 40; ++i)
      for (const double x : fold(victim, golden().bars[i])) REQUIRE_FALSE(std::isinf(x));
    REQUIRE(json::accept(saved(victim)));
  }
  CHECK(accepted > 1'000);
}

TEST_CASE("the answer needs room for every output") {
  auto set = make_set();
  values small(set.names().size() - 1);
  CHECK_THROWS_AS(set.update(golden().bars[0], small), broken_invariant);
}

TEST_CASE("a state is little more than its windows") {
  CHECK(make_set({"rsi(14)"}).bytes() <= 32);
  CHECK(make_set({"sma(20)"}).bytes() <= 20 * 8 + 24);
  CHECK(make_set({"stoch(14,3,3)"}).bytes() <= (2 * 14 + 3 + 3) * 8 + 72);
}

}  // namespace troupe::market
