#include "actors/market/indicators/catalog.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace troupe::market::indicators {

namespace {

using numbers = std::vector<double>;

struct parameter {
  std::string_view name;
  double usual;  // TA-Lib's default.
  double least;
  double most;
  bool whole;
};

constexpr double period_max = 1000;

constexpr parameter period(double usual, double least = 1) {
  return {"period", usual, least, period_max, true};
}
constexpr parameter named_period(std::string_view name, double usual, double least = 1) {
  return {name, usual, least, period_max, true};
}
constexpr parameter decimal(std::string_view name, double usual, double most) {
  return {name, usual, 0.0001, most, false};
}

struct definition {
  std::string_view name;
  std::vector<parameter> parameters;
  std::vector<std::string_view> outputs;
  any_kernel (*make)(const numbers&);
  /// The first parameter must be less than the second, or at most equal to it.
  enum class relation { free, less, at_most } first_two = relation::free;
};

std::uint32_t n(double x) {
  return static_cast<std::uint32_t>(x);
}
exponential_average smooth(double x) {
  return exponential_average(n(x));
}

std::vector<definition> make_definitions() {
  using enum definition::relation;
  const std::vector<parameter> fast_slow{named_period("fast", 12), named_period("slow", 26, 2)};
  auto fast_slow_signal = fast_slow;
  fast_slow_signal.push_back(named_period("signal", 9));
  const auto k_slow_d =
      std::vector<parameter>{named_period("k", 5), named_period("slow", 3), named_period("d", 3)};
  const auto period_k_d = std::vector<parameter>{named_period("period", 14, 2),
                                                 named_period("k", 5), named_period("d", 3)};
  const auto steps =
      std::vector<parameter>{decimal("acceleration", 0.02, 1), decimal("maximum", 0.2, 1)};
  return {
      {"sma", {period(30)}, {"sma"}, [](const numbers& p) -> any_kernel { return sma{{n(p[0])}}; }},
      {"ema",
       {period(30)},
       {"ema"},
       [](const numbers& p) -> any_kernel { return ema{smooth(p[0])}; }},
      {"wma", {period(30)}, {"wma"}, [](const numbers& p) -> any_kernel { return wma{n(p[0])}; }},
      {"dema",
       {period(30)},
       {"dema"},
       [](const numbers& p) -> any_kernel { return dema{smooth(p[0])}; }},
      {"tema",
       {period(30)},
       {"tema"},
       [](const numbers& p) -> any_kernel { return tema{{smooth(p[0])}}; }},
      {"trix",
       {period(30)},
       {"trix"},
       [](const numbers& p) -> any_kernel { return trix{{smooth(p[0])}}; }},
      {"kama",
       {period(30, 2)},
       {"kama"},
       [](const numbers& p) -> any_kernel { return kama{n(p[0])}; }},
      {"rsi",
       {period(14, 2)},
       {"rsi"},
       [](const numbers& p) -> any_kernel { return rsi{relative_strength(n(p[0]))}; }},
      {"macd",
       fast_slow_signal,
       {"macd", "macd_signal", "macd_hist"},
       [](const numbers& p) -> any_kernel {
         return macd{smooth(p[0]), smooth(p[1]), smooth(p[2])};
       },
       less},
      {"ppo",
       fast_slow,
       {"ppo"},
       [](const numbers& p) -> any_kernel {
         return ppo{smooth(p[0]), smooth(p[1])};
       },
       less},
      {"roc", {period(10)}, {"roc"}, [](const numbers& p) -> any_kernel { return roc{{n(p[0])}}; }},
      {"mom", {period(10)}, {"mom"}, [](const numbers& p) -> any_kernel { return mom{{n(p[0])}}; }},
      {"stoch",
       k_slow_d,
       {"stoch_k", "stoch_d"},
       [](const numbers& p) -> any_kernel {
         return stoch{{n(p[0])}, {n(p[1])}, {n(p[2])}};
       }},
      {"stochrsi",
       period_k_d,
       {"stochrsi_k", "stochrsi_d"},
       [](const numbers& p) -> any_kernel {
         return stochrsi{relative_strength(n(p[0])), {n(p[1])}, {n(p[2])}};
       }},
      {"willr",
       {period(14, 2)},
       {"willr"},
       [](const numbers& p) -> any_kernel { return willr{{n(p[0])}}; }},
      {"cci",
       {period(14, 2)},
       {"cci"},
       [](const numbers& p) -> any_kernel { return cci{n(p[0])}; }},
      {"stddev",
       {period(5, 2)},
       {"stddev"},
       [](const numbers& p) -> any_kernel { return stddev{moving_deviation(n(p[0]))}; }},
      {"bbands",
       {period(20, 2), decimal("deviations", 2, 100)},
       {"bb_upper", "bb_middle", "bb_lower"},
       [](const numbers& p) -> any_kernel {
         return bbands{moving_deviation(n(p[0])), p[1]};
       }},
      {"atr",
       {period(14)},
       {"atr"},
       [](const numbers& p) -> any_kernel { return atr{average_true_range(n(p[0]))}; }},
      {"natr",
       {period(14, 2)},
       {"natr"},
       [](const numbers& p) -> any_kernel { return natr{average_true_range(n(p[0]))}; }},
      {"adx",
       {period(14, 2)},
       {"adx", "plus_di", "minus_di"},
       [](const numbers& p) -> any_kernel { return adx{n(p[0])}; }},
      {"sar",
       steps,
       {"sar"},
       [](const numbers& p) -> any_kernel {
         return sar{p[0], p[1]};
       },
       at_most},
      {"aroon",
       {period(14, 2)},
       {"aroon_up", "aroon_down"},
       [](const numbers& p) -> any_kernel { return aroon{n(p[0])}; }},
      {"obv", {}, {"obv"}, [](const numbers&) -> any_kernel { return obv{}; }},
      {"mfi",
       {period(14, 2)},
       {"mfi"},
       [](const numbers& p) -> any_kernel { return mfi{n(p[0])}; }},
      {"vwap", {}, {"vwap"}, [](const numbers&) -> any_kernel { return vwap{}; }},
  };
}

const std::vector<definition>& definitions() {
  static const std::vector<definition> all = make_definitions();
  return all;
}

std::string shortest(double x) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, x, std::chars_format::fixed).ptr};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto from = text.find_first_not_of(blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) + 1 - from);
}

std::optional<double> parse_number(std::string_view text) {
  double x = 0;
  const auto* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, x, std::chars_format::fixed);
  if (result.ec != std::errc{} || result.ptr != end || !std::isfinite(x)) return std::nullopt;
  return x;
}

/// `name` and what stands between the parentheses, if there are any.
struct split_text {
  std::string_view name;
  std::optional<std::vector<std::string_view>> arguments;
};

std::vector<std::string_view> split_arguments(std::string_view inside) {
  std::vector<std::string_view> found;
  if (trimmed(inside).empty()) return found;
  for (std::size_t from = 0;;) {
    const auto comma = inside.find(',', from);
    found.push_back(trimmed(inside.substr(from, comma - from)));
    if (comma == std::string_view::npos) return found;
    from = comma + 1;
  }
}

std::optional<split_text> split(std::string_view text) {
  text = trimmed(text);
  const auto open = text.find('(');
  if (open == std::string_view::npos) {
    if (text.empty() || text.find_first_of(" \t,)") != std::string_view::npos) return std::nullopt;
    return split_text{text, std::nullopt};
  }
  if (text.back() != ')' || text.find('(', open + 1) != std::string_view::npos) return std::nullopt;
  const auto inside = text.substr(open + 1, text.size() - open - 2);
  return split_text{trimmed(text.substr(0, open)), split_arguments(inside)};
}

const definition* find_definition(std::string_view name) {
  for (const auto& d : definitions())
    if (d.name == name) return &d;
  return nullptr;
}

std::string known_names() {
  std::string all;
  for (const auto& d : definitions()) all += (all.empty() ? "" : " ") + std::string(d.name);
  return all;
}

/// `macd(fast,slow,signal)`.
std::string signature(const definition& d) {
  std::string all;
  for (const auto& p : d.parameters) all += (all.empty() ? "" : ",") + std::string(p.name);
  return std::string(d.name) + (all.empty() ? "" : '(' + all + ')');
}

std::string range(const parameter& p) {
  return std::string(p.name) + " must be a " + (p.whole ? "whole number" : "number") + " from " +
         shortest(p.least) + " to " + shortest(p.most);
}

using complaint = std::vector<std::string>;

numbers read_values(const definition& d, const std::vector<std::string_view>& arguments,
                    complaint& wrong) {
  numbers values;
  for (std::size_t i = 0; i < d.parameters.size(); ++i) {
    const auto& p = d.parameters[i];
    const auto x = parse_number(arguments[i]);
    if (!x || *x < p.least || *x > p.most || (p.whole && *x != std::floor(*x)))
      wrong.push_back(range(p) + ", got \"" + std::string(arguments[i]) + '"');
    values.push_back(x.value_or(p.usual));
  }
  return values;
}

void check_relation(const definition& d, const numbers& values, complaint& wrong) {
  using enum definition::relation;
  if (d.first_two == free || !wrong.empty()) return;
  const bool holds = d.first_two == less ? values[0] < values[1] : values[0] <= values[1];
  if (holds) return;
  wrong.push_back(std::string(d.parameters[0].name) + " must be " +
                  (d.first_two == less ? "less than " : "at most ") +
                  std::string(d.parameters[1].name));
}

numbers usual_values(const definition& d) {
  numbers values;
  for (const auto& p : d.parameters) values.push_back(p.usual);
  return values;
}

numbers values_of(const definition& d, const split_text& parts, complaint& wrong) {
  if (!parts.arguments) return usual_values(d);
  if (parts.arguments->size() != d.parameters.size()) {
    wrong.push_back("takes " + std::to_string(d.parameters.size()) + " parameters, as " +
                    signature(d) + ", got " + std::to_string(parts.arguments->size()));
    return usual_values(d);
  }
  const auto values = read_values(d, *parts.arguments, wrong);
  check_relation(d, values, wrong);
  return wrong.empty() ? values : usual_values(d);
}

std::string joined(const numbers& values, char with) {
  std::string all;
  for (const double x : values) all += (all.empty() ? "" : std::string(1, with)) + shortest(x);
  return all;
}

parsed_indicator build(const definition& d, const numbers& values) {
  const auto suffix = joined(values, '_');
  std::vector<std::string> names;
  for (const auto output : d.outputs)
    names.push_back(std::string(output) + (suffix.empty() ? "" : '_' + suffix));
  const auto inside = joined(values, ',');
  return {std::string(d.name) + (inside.empty() ? "" : '(' + inside + ')'), std::move(names),
          d.make(values)};
}

}  // namespace

parsed_indicator parse_indicator(std::string_view text, std::vector<std::string>& wrong) {
  const auto parts = split(text);
  if (!parts) {
    wrong.push_back("expected name or name(number, ...)");
    return {};
  }
  const auto* const d = find_definition(parts->name);
  if (d == nullptr) {
    wrong.push_back("unknown indicator; known are " + known_names());
    return {};
  }
  return build(*d, values_of(*d, *parts, wrong));
}

}  // namespace troupe::market::indicators
