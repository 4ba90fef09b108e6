#include "app/trading_config.hpp"

#include <filesystem>

#include "actors/trading/names.hpp"
#include "actors/trading/risk_limits.hpp"
#include "app/failure.hpp"
#include "runtime/codec/json.hpp"

namespace troupe {
namespace {

using nlohmann::json;
using trading::trading_options;

option_def amount(std::string name, fixed& member, fixed min, fixed max, std::string text) {
  const std::string allowed =
      "a decimal as text, such as \"0.5\", " + to_string(min) + " to " + to_string(max);
  const auto take = [=, &member](const json& v) -> faults {
    const auto value = v.is_string() ? parse_fixed(v.get<std::string>()) : std::nullopt;
    if (!value || *value < min || *value > max) return must_be(allowed);
    member = *value;
    return {};
  };
  return {std::move(name), std::move(text), allowed, to_string(member), take};
}

option_def cash_by_name(std::map<std::string, fixed, std::less<>>& member) {
  const std::string allowed = "{\"p1\": \"250000\"}: names with decimals as text, not below 0";
  const auto take = [=, &member](const json& v) -> faults {
    if (!v.is_object()) return must_be(allowed);
    faults found;
    for (const auto& [name, written] : v.items()) {
      const auto cash =
          written.is_string() ? parse_fixed(written.get<std::string>()) : std::nullopt;
      if (!trading::is_trading_name(name)) {
        found.push_back({json::json_pointer() / name,
                         "names must be " + std::string(trading::trading_names_text)});
      } else if (cash && *cash >= fixed()) {
        member[name] = *cash;
      } else {
        found.push_back({json::json_pointer() / name, "must be a decimal as text, not below 0"});
      }
    }
    return found;
  };
  json now = json::object();
  for (const auto& [name, cash] : member) now[name] = to_string(cash);
  return {"portfolio_cash", "What portfolios begin with that are named here, instead of cash.",
          allowed, std::move(now), take};
}

/// What is wrong with the limits in a file, or nothing.
std::string read_limits(const std::string& path, json& to) {
  std::string text;
  try {
    text = app::read_text_file(path);
  } catch (const app::failure& e) {
    return e.what();
  }
  json_limits may;
  may.comments = true;
  auto document = parse_json(text, may);
  if (!document.ok()) return path + ' ' + document.wrong;
  trading::faults wrong;
  trading::parse_risk_limits(document.value, "", wrong);
  if (!wrong.empty()) return path + ": " + trading::to_string(wrong);
  to = std::move(document.value);
  return {};
}

option_def limits_file(const std::string& config_file, json& member) {
  const auto take = [folder = std::filesystem::path(config_file).parent_path(),
                     &member](const json& v) -> faults {
    if (!v.is_string()) return must_be("a path, seen from this file's folder");
    const auto& path = v.get_ref<const std::string&>();
    if (path.empty()) return {};
    auto wrong = read_limits((folder / path).lexically_normal().string(), member);
    if (wrong.empty()) return {};
    return {fault{json::json_pointer(), std::move(wrong)}};
  };
  return {"limits_file",
          "The limits of the risk check for each portfolio, and the steps of prices and quantities "
          "of each symbol: what a portfolio begins with. Afterwards `troupe risk set` changes "
          "them, and this file is no longer looked at for that portfolio.",
          "a path, seen from this file's folder; empty: every symbol, no limits but cash", "",
          take};
}

void describe_paper(section& s, trading::paper_options& o) {
  constexpr auto whole = fixed::from_raw(10'000 * fixed::scale);
  s.option(amount("maker_fee_bps", o.maker_fee_bps, fixed::from_raw(-whole.raw()), whole,
                  "Fee of fills that gave liquidity, basis points of their value; below 0: a "
                  "rebate."));
  s.option(amount("taker_fee_bps", o.taker_fee_bps, fixed::from_raw(-whole.raw()), whole,
                  "Fee of fills that took liquidity, basis points of their value."));
  s.option(amount("slippage_bps", o.slippage_bps, fixed(), whole,
                  "Takers pay so much more, or get so much less, basis points of the price. More "
                  "is more careful about what a real venue would give."));
  s.number("latency_us", o.latency_micros, {0, 60'000'000, "us"},
           "From a decision to the venue: only later events fill an order. More is more careful.");
  s.flag("displayed_size", o.displayed_size,
         "Fills take at most the size that a quote or trade shows; the rest waits for the next.");
  s.flag("queue_position", o.queue_position,
         "Limit orders wait behind what was displayed at their price before them.");
}

void describe(section& s, trading_options& o) {
  const choices<trading::venue_choice> venues{{"paper", trading::venue_choice::paper},
                                              {"orders", trading::venue_choice::orders}};
  s.choice("venue", o.venue, venues,
           "Where orders go: to the built-in paper venue, which fills them from the live market "
           "data, or to the topic orders, for a gateway of your own that answers on fills.");
  s.option(amount(
      "cash", o.cash, fixed(), fixed::from_raw(INT64_MAX),
      "What a portfolio begins with when its first session is created; `troupe portfolio open` "
      "gives another sum. Never applied again."));
  s.option(cash_by_name(o.portfolio_cash));
  s.option(limits_file(s.file(), o.limits));
  s.group(
      "paper",
      "The paper venue. A portfolio keeps, for each symbol, what held at its first order there.",
      [&o](section& inner) { describe_paper(inner, o.paper); });
}

}  // namespace

domain_section trading_section(trading_options& options) {
  return {"trading", "Trading: sessions, risk limits, portfolios and the venue.",
          [&options](section& s) { describe(s, options); }};
}

}  // namespace troupe
