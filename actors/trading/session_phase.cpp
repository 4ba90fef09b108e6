#include <algorithm>
#include <set>

#include "actors/trading/names.hpp"
#include "actors/trading/session.hpp"

namespace troupe::trading {

namespace {

session_answer check_names(const session_settings& s) {
  for (const auto& [what, name] : {std::pair{"session", &s.name}, {"portfolio", &s.portfolio}})
    if (!is_trading_name(*name))
      return {session_refusal::bad_name,
              std::string("the name of a ") + what + " must be " + std::string(trading_names_text)};
  return {};
}

session_answer check_strategy(const session_settings& s) {
  const auto* const found = find_strategy(s.strategy);
  if (found == nullptr)
    return {session_refusal::unknown_strategy,
            "no strategy is called " + s.strategy + "; there are " + strategy_names()};
  std::string all;
  for (const auto& wrong : parameter_violations(*found, s.parameters))
    (all += all.empty() ? "" : "; ") += wrong;
  if (!all.empty()) return {session_refusal::bad_parameter, s.strategy + ": " + all};
  return {};
}

session_answer check_size(const session_settings& s) {
  constexpr fixed percent_max = fixed::from_raw(100'000 * fixed::scale);
  if (s.size.amount <= fixed())
    return {session_refusal::bad_size,
            "the usual size is " + to_string(s.size.amount) + ", and must be above 0"};
  const bool percent =
      s.size.by == sizing::percent_of_equity || s.size.by == sizing::volatility_target;
  if (percent && s.size.amount > percent_max)
    return {session_refusal::bad_size, "the usual size is " + to_string(s.size.amount) +
                                           " percent, and must be at most 100000"};
  return {};
}

session_answer check_symbols(const session_settings& s) {
  if (s.instruments.empty()) return {session_refusal::unknown_symbol, "a session needs a symbol"};
  std::set<std::string> seen;
  for (const auto& one : s.instruments)
    if (one.symbol.empty() || !seen.insert(one.symbol).second)
      return {session_refusal::unknown_symbol, one.symbol.empty()
                                                   ? "a symbol has no name"
                                                   : "symbol " + one.symbol + " is there twice"};
  return {};
}

}  // namespace

std::optional<session_phase> next_phase(session_phase from, session_command by) {
  using enum session_phase;
  switch (by) {
    case session_command::start:
      return from == created ? std::optional(running) : std::nullopt;
    case session_command::pause:
      return from == running ? std::optional(paused) : std::nullopt;
    case session_command::resume:
      return from == paused ? std::optional(running) : std::nullopt;
    case session_command::stop:
      return from == running || from == paused ? std::optional(stopped) : std::nullopt;
    case session_command::del:
      return from == created || from == stopped ? std::optional(deleted) : std::nullopt;
  }
  return std::nullopt;
}

std::string commands_allowed(session_phase in) {
  std::string names;
  constexpr auto& all = names_of<session_command>::list;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (next_phase(in, static_cast<session_command>(i)))
      (names += names.empty() ? "" : ", ") += all[i];
  return names.empty() ? "nothing" : names;
}

session_answer choose_instruments(std::span<const std::string> symbols,
                                  std::span<const instrument> known, session_settings& to) {
  to.instruments.clear();
  for (const auto& symbol : symbols) {
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& one) { return one.symbol == symbol; });
    if (found == known.end())
      return {session_refusal::unknown_symbol, "symbol " + symbol + " has no instrument"};
    to.instruments.push_back(*found);
  }
  return {};
}

session_answer check(const session_settings& settings) {
  for (const auto one : {check_names, check_strategy, check_size, check_symbols})
    if (auto answer = one(settings); answer.refusal != session_refusal::none) return answer;
  return {};
}

}  // namespace troupe::trading
