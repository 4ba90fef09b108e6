// Streams a seeded series through every indicator, alone (kernel inline) and through an
// indicator_set, and prints the nanoseconds a bar costs. `run` puts TA-Lib beside it.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "actors/market/indicators/indicator_set.hpp"
#include "actors/market/market_options.hpp"

namespace {

using namespace troupe;
using namespace troupe::market;
using indicators::bar_input;

/// In columns, as TA-Lib takes it: a kernel reads what it needs.
struct series {
  std::vector<double> open, high, low, close, volume;

  std::size_t size() const { return close.size(); }
  bar_input at(std::size_t i) const {
    constexpr std::int64_t minute = 60'000'000;
    return {open[i],  high[i],   low[i],
            close[i], volume[i], from_micros(static_cast<std::int64_t>(i) * minute)};
  }
};

/// A walk of one-minute bars on a grid of cents; the generator and its use are the same everywhere.
series make_series(std::size_t size) {
  std::mt19937_64 random(42);
  auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  auto cents = [](double x) { return std::round(x * 100) / 100; };
  series s;
  double price = 100;
  for (std::size_t i = 0; i < size; ++i) {
    const double open = cents(price);
    price = std::clamp(price * (1 + 0.004 * (unit() - 0.5)), 20.0, 500.0);
    const double close = cents(price);
    s.open.push_back(open);
    s.close.push_back(close);
    s.high.push_back(cents(std::max(open, close) * (1 + 0.001 * unit())));
    s.low.push_back(cents(std::min(open, close) * (1 - 0.001 * unit())));
    s.volume.push_back(std::floor(100 + 10'000 * unit()));
  }
  return s;
}

const std::vector<std::string> texts{
    "sma(20)",   "ema(20)",       "wma(20)",          "dema(20)",     "tema(20)",
    "kama(30)",  "rsi(14)",       "macd(12,26,9)",    "bbands(20,2)", "atr(14)",
    "natr(14)",  "stoch(14,3,3)", "stochrsi(14,5,3)", "adx(14)",      "cci(20)",
    "willr(14)", "obv",           "mfi(14)",          "vwap",         "roc(10)",
    "mom(10)",   "trix(30)",      "ppo(12,26)",       "aroon(14)",    "sar(0.02,0.2)",
    "stddev(5)"};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Best of some passes, in ns a bar.
template <class Pass>
double measure(const series& s, int repeats, Pass pass) {
  double best = 1e300;
  for (int i = 0; i < repeats; ++i) {
    const double begin = seconds();
    pass();
    best = std::min(best, seconds() - begin);
  }
  return best * 1e9 / static_cast<double>(s.size());
}

/// One kernel's values, written as a batch library writes them.
template <class Kernel>
void stream(const Kernel kernel, const series& s,
            std::vector<std::array<double, Kernel::outputs>>& out) {
  typename Kernel::state state;
  std::vector<double> cells(kernel.cells());
  for (std::size_t i = 0; i < s.size(); ++i) out[i] = kernel.update(state, cells.data(), s.at(i));
}

/// What a kernel with a memory cannot go below: a number comes out of a ring some bars after it
/// went in, and nothing is made of it.
struct bare_ring {
  static constexpr std::size_t outputs = 1;
  indicators::delayed_close delay;
  using state = indicators::delayed_close::state;

  std::size_t cells() const { return delay.period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    double before = 0;
    delay.update(s, ring, bar.close, before);
    return {before};
  }
};

template <class Kernel>
double measure_kernel(const Kernel& kernel, const series& s, int repeats) {
  std::vector<std::array<double, Kernel::outputs>> out(s.size());
  return measure(s, repeats, [&] { stream(kernel, s, out); });
}

double measure_named(const std::string& text, const series& s, int repeats) {
  std::vector<std::string> wrong;
  const auto parsed = indicators::parse_indicator(text, wrong);
  return std::visit([&](const auto& kernel) { return measure_kernel(kernel, s, repeats); },
                    parsed.kernel);
}

double measure_set(std::span<const std::string> list, const series& s, int repeats) {
  const indicator_plan plan(list);
  std::vector<double> out(plan.names().size());
  return measure(s, repeats, [&] {
    indicator_set set(plan);
    for (std::size_t i = 0; i < s.size(); ++i) set.update(s.at(i), out);
  });
}

void report(const std::string& metric, double value, const char* unit = "ns/bar") {
  std::printf(R"({"bench":"indicators","metric":"%s","value":%.3f,"unit":"%s"})"
              "\n",
              metric.c_str(), value, unit);
}

void write(std::ofstream& file, std::span<const double> x) {
  file.write(reinterpret_cast<const char*>(x.data()), static_cast<std::streamsize>(x.size_bytes()));
}

void write_series(const std::string& name, const series& s) {
  std::ofstream file(name, std::ios::binary);
  for (const auto* column : {&s.open, &s.high, &s.low, &s.close, &s.volume}) write(file, *column);
}

/// Every output of every bar, row by row, behind the names in a file of its own.
void write_values(const std::string& name, const series& s) {
  indicator_set set{indicator_plan(texts)};
  std::ofstream names(name + ".names");
  for (const auto& n : set.names()) names << n << '\n';
  std::ofstream file(name, std::ios::binary);
  std::vector<double> out(set.names().size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    set.update(s.at(i), out);
    write(file, out);
  }
}

void run(const series& s, int repeats) {
  for (const auto& text : texts) {
    const auto metric = indicator_plan(std::vector{text}).names().front();
    report(metric, measure_named(text, s, repeats));
    report(metric + ".set", measure_set(std::vector{text}, s, repeats));
  }
  report("bare_ring_10", measure_kernel(bare_ring{{10}}, s, repeats));
  const market_options usual;
  report("usual_list.set", measure_set(usual.indicators, s, repeats));
  report("usual_list.bytes",
         static_cast<double>(indicator_set(indicator_plan(usual.indicators)).bytes()), "bytes");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Indicators as streams: ns a bar"};
  std::size_t bars = 1'000'000;
  int repeats = 3;
  bool json = false;
  std::string series_file, values_file;
  app.add_option("--bars", bars, "Length of the series");
  app.add_option("--repeats", repeats, "Passes; the best counts");
  app.add_flag("--json", json, "One object a line (it always is)");
  app.add_option("--series", series_file,
                 "Write the series here as columns of doubles, and measure nothing");
  app.add_option("--values", values_file,
                 "Write all outputs here as rows of doubles, and measure nothing");
  CLI11_PARSE(app, argc, argv);
  const auto s = make_series(bars);
  if (!series_file.empty()) write_series(series_file, s);
  if (!values_file.empty()) write_values(values_file, s);
  if (series_file.empty() && values_file.empty()) run(s, repeats);
}
