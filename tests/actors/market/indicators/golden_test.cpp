#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "actors/market/indicators/indicator_set.hpp"
#include "golden.hpp"

namespace troupe::market {

using indicators::golden;

namespace {

struct row {
  const char* text;
  std::vector<const char*> columns;  // In the order of the outputs; null: not in the golden file.
};

const std::vector<row>& rows() {
  static const std::vector<row> all{
      {"sma(14)", {"SMA14"}},
      {"ema(14)", {"EMA14"}},
      {"wma(14)", {"WMA14"}},
      {"dema(14)", {"DEMA14"}},
      {"tema(14)", {"TEMA14"}},
      {"rsi(14)", {"RSI14"}},
      {"macd(12,26,9)", {"MACD", "MACDsig", "MACDhist"}},
      {"bbands(20,2)", {"BBu20", "BBm20", "BBl20"}},
      {"atr(1)", {"TR"}},
      {"atr(14)", {"ATR14"}},
      {"natr(14)", {"NATR14"}},
      {"stoch(5,3,3)", {"STOCHk533", "STOCHd533"}},
      {"stoch(14,3,3)", {"STOCHk1433", "STOCHd1433"}},
      {"stochrsi(14,5,3)", {"STOCHRSIk", "STOCHRSId"}},
      {"adx(14)", {"ADX14", "PDI14", "MDI14"}},
      {"cci(14)", {"CCI14"}},
      {"willr(14)", {"WILLR14"}},
      {"obv", {"OBV"}},
      {"mfi(14)", {"MFI14"}},
      {"roc(10)", {"ROC10"}},
      {"mom(10)", {"MOM10"}},
      {"stddev(5)", {"STDDEV5"}},
      {"sar(0.02,0.2)", {"SAR"}},
      {"aroon(14)", {"AROONu14", "AROONd14"}},
      {"kama(30)", {"KAMA30"}},
      {"trix(30)", {"TRIX30"}},
      {"ppo(12,26)", {"PPO"}},
  };
  return all;
}

/// Within 1e-9 of the figure; where it should be 0, TA-Lib's own running sums leave up to some
/// 1e-13.
bool agrees(double ours, double theirs) {
  if (std::isnan(theirs)) return std::isnan(ours);
  return std::abs(ours - theirs) <= std::max(1e-9 * std::abs(theirs), 1e-12);
}

}  // namespace

TEST_CASE("every output agrees with TA-Lib on every bar") {
  std::vector<std::string> texts;
  std::vector<std::string> columns;
  for (const auto& r : rows()) {
    texts.push_back(r.text);
    columns.insert(columns.end(), r.columns.begin(), r.columns.end());
  }
  indicator_set set{indicator_plan(texts)};
  REQUIRE(set.names().size() == columns.size());
  REQUIRE(golden().bars.size() == 252);

  std::vector<double> out(columns.size());
  for (std::size_t bar = 0; bar < golden().bars.size(); ++bar) {
    REQUIRE(set.update(golden().bars[bar], out));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double theirs = golden().columns.at(columns[i])[bar];
      CHECK_MESSAGE(agrees(out[i], theirs),
                    set.names()[i] << " at " << bar << ": " << out[i] << ", TA-Lib " << theirs);
    }
  }
}

}  // namespace troupe::market
