#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "actors/market/indicators/indicator_plan.hpp"

namespace troupe::market {

namespace {

std::vector<std::string> names_of(const std::string& text) {
  CHECK(indicator_violation(text) == "");
  return indicator_plan(std::vector{text}).names();
}

std::vector<std::string> violations_of(const std::vector<std::string>& texts) {
  const auto found = indicator_violations(texts);
  if (found.empty())
    CHECK_NOTHROW(indicator_plan{texts});
  else
    CHECK_THROWS_AS(indicator_plan{texts}, std::invalid_argument);
  return found;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("outputs are named after the indicator and all its parameters") {
  struct row {
    std::string text;
    std::vector<std::string> names;
  };
  for (const auto& r : {
           row{"sma(20)", {"sma_20"}},
           row{" ema ( 9 ) ", {"ema_9"}},
           row{"macd(12,26,9)", {"macd_12_26_9", "macd_signal_12_26_9", "macd_hist_12_26_9"}},
           row{"bbands(20,2)", {"bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2"}},
           row{"bbands(20, 2.50)", {"bb_upper_20_2.5", "bb_middle_20_2.5", "bb_lower_20_2.5"}},
           row{"stoch(14,3,3)", {"stoch_k_14_3_3", "stoch_d_14_3_3"}},
           row{"stochrsi(14,5,3)", {"stochrsi_k_14_5_3", "stochrsi_d_14_5_3"}},
           row{"adx(14)", {"adx_14", "plus_di_14", "minus_di_14"}},
           row{"aroon(25)", {"aroon_up_25", "aroon_down_25"}},
           row{"sar(0.02,0.2)", {"sar_0.02_0.2"}},
           row{"obv", {"obv"}},
           row{"vwap()", {"vwap"}},
           row{"sma(1000)", {"sma_1000"}},
       })
    CHECK_MESSAGE(names_of(r.text) == r.names, r.text);
}

TEST_CASE("a bare name takes TA-Lib's default parameters") {
  struct row {
    std::string text;
    std::string first;
  };
  for (const auto& r : {row{"sma", "sma_30"},          row{"ema", "ema_30"},
                        row{"wma", "wma_30"},          row{"dema", "dema_30"},
                        row{"tema", "tema_30"},        row{"trix", "trix_30"},
                        row{"kama", "kama_30"},        row{"rsi", "rsi_14"},
                        row{"macd", "macd_12_26_9"},   row{"ppo", "ppo_12_26"},
                        row{"roc", "roc_10"},          row{"mom", "mom_10"},
                        row{"stoch", "stoch_k_5_3_3"}, row{"stochrsi", "stochrsi_k_14_5_3"},
                        row{"willr", "willr_14"},      row{"cci", "cci_14"},
                        row{"stddev", "stddev_5"},     row{"bbands", "bb_upper_20_2"},
                        row{"atr", "atr_14"},          row{"natr", "natr_14"},
                        row{"adx", "adx_14"},          row{"sar", "sar_0.02_0.2"},
                        row{"aroon", "aroon_up_14"},   row{"mfi", "mfi_14"}})
    CHECK(names_of(r.text).front() == r.first);
}

TEST_CASE("a violation names the text, what is wrong and what is allowed") {
  struct row {
    std::string text;
    std::string says;
  };
  for (const auto& r : {
           row{"", "expected name or name(number, ...)"},
           row{"sma(20", "expected name or name(number, ...)"},
           row{"sma 20", "expected name or name(number, ...)"},
           row{"sma((20))", "expected name or name(number, ...)"},
           row{"(20)", "unknown indicator"},
           row{"hull(9)", "unknown indicator; known are sma ema wma"},
           row{"SMA(9)", "unknown indicator"},
           row{"macd(12,26)", "takes 3 parameters, as macd(fast,slow,signal), got 2"},
           row{"sma()", "takes 1 parameters, as sma(period), got 0"},
           row{"obv(3)", "takes 0 parameters, as obv, got 1"},
           row{"sma(0)", "period must be a whole number from 1 to 1000, got \"0\""},
           row{"sma(-5)", "period must be a whole number from 1 to 1000, got \"-5\""},
           row{"sma(1001)", "period must be a whole number from 1 to 1000, got \"1001\""},
           row{"sma(2.5)", "period must be a whole number from 1 to 1000, got \"2.5\""},
           row{"sma(nan)", "got \"nan\""},
           row{"sma(inf)", "got \"inf\""},
           row{"sma(1e2)", "got \"1e2\""},
           row{"sma(99999999999999999999)", "period must be"},
           row{"sma(twenty)", "got \"twenty\""},
           row{"macd(12,,9)", "slow must be a whole number from 2 to 1000, got \"\""},
           row{"rsi(1)", "period must be a whole number from 2 to 1000, got \"1\""},
           row{"bbands(20,0)", "deviations must be a number from 0.0001 to 100, got \"0\""},
           row{"sar(0.02,2)", "maximum must be a number from 0.0001 to 1, got \"2\""},
           row{"macd(26,12,9)", "fast must be less than slow"},
           row{"ppo(12,12)", "fast must be less than slow"},
           row{"sar(0.3,0.2)", "acceleration must be at most maximum"},
       }) {
    const auto found = violations_of({r.text});
    REQUIRE_MESSAGE(found.size() == 1, r.text);
    CHECK_MESSAGE(contains(found[0], '"' + r.text + "\": "), found[0]);
    CHECK_MESSAGE(contains(found[0], r.says), found[0]);
    CHECK('"' + r.text + "\": " + indicator_violation(r.text) == found[0]);
  }
}

TEST_CASE("all violations come at once") {
  CHECK(violations_of({"sma(0)", "ema(20)", "foo", "macd(0,2000,0)"}).size() == 5);
}

TEST_CASE("an indicator may be listed once, however it is written") {
  const auto found = violations_of({"rsi", "rsi( 14 )"});
  REQUIRE(found.size() == 1);
  CHECK(found[0] == "\"rsi( 14 )\": rsi(14) is listed twice");
  CHECK(violations_of({"rsi(14)", "rsi(15)"}).empty());
}

TEST_CASE("a list has a greatest length, and may be empty") {
  std::vector<std::string> texts;
  for (int i = 1; i <= 100; ++i) texts.push_back("sma(" + std::to_string(i) + ')');
  CHECK(violations_of(texts).empty());
  texts.push_back("obv");
  CHECK(violations_of(texts).size() == 1);
  CHECK(violations_of({}).empty());
}

}  // namespace troupe::market
