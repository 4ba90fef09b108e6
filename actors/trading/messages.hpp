#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "actors/trading/fields.hpp"
#include "actors/trading/order.hpp"
#include "actors/trading/paper_book.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/portfolio_facts.hpp"
#include "actors/trading/verdict.hpp"

namespace troupe::trading {

/// The JSON forms of everything that the trading entities say to each other and to the outside, and
/// that their states hold. Decimals are texts, times microseconds since 1970, enums their names.
/// What has its default is left out.

/// `cancel_order`, to a venue.
struct venue_cancel {
  std::string order;
  decision_point decided;
  bool operator==(const venue_cancel&) const = default;
};
/// `change_order`, to a venue: the quantity counts from the order's beginning.
struct venue_change {
  std::string order;
  fixed quantity;
  time_point time{};
  bool operator==(const venue_change&) const = default;
};
/// `place_order`, from the risk check to the portfolio.
struct placement {
  order_request request;
  verdict approved;
  bool operator==(const placement&) const = default;
};
/// `portfolio_changed`, from the portfolio to the risk check: everything but symbols, and the
/// symbols that changed.
struct facts_change {
  struct entry {
    std::string symbol;
    symbol_facts facts;
    bool operator==(const entry&) const = default;
  };
  std::int64_t offset = -1;  // Of the event that filled, where the venue tells it.
  time_point time{};         // Of the fill that changed them; 0: none did.
  money cash = 0, reserved = 0;
  std::int64_t open_orders = 0;
  std::int64_t children_to_come = 0;
  std::int64_t placed = 0;
  std::vector<entry> symbols;
  bool operator==(const facts_change&) const = default;
};
void apply(const facts_change& change, portfolio_facts& to);
/// What the facts hold beside symbols, as a change; and everything.
facts_change all_but_symbols(const portfolio_facts& facts);
facts_change all_of(const portfolio_facts& facts);

nlohmann::json json_of(const decision_point& v);
nlohmann::json json_of(const order_request& v);
nlohmann::json json_of(const verdict& v);
nlohmann::json json_of(const placement& v);
nlohmann::json json_of(const venue_order& v);
nlohmann::json json_of(const venue_cancel& v);
nlohmann::json json_of(const venue_change& v);
nlohmann::json json_of(const fill& v);
nlohmann::json json_of(const order_report& v);
nlohmann::json json_of(const facts_change& v);
nlohmann::json json_of(const order& v);
nlohmann::json json_of(const paper_options& v);

void read(field_reader& from, decision_point& to);
void read(field_reader& from, order_request& to);
void read(field_reader& from, verdict& to);
void read(field_reader& from, placement& to);
void read(field_reader& from, venue_order& to);
void read(field_reader& from, venue_cancel& to);
void read(field_reader& from, venue_change& to);
void read(field_reader& from, fill& to);
void read(field_reader& from, order_report& to);
void read(field_reader& from, facts_change& to);
void read(field_reader& from, order& to);
void read(field_reader& from, paper_options& to);

/// Reads a whole object, or reports everything that is wrong with it. Never throws on input.
template <class Value>
std::optional<Value> parse(const nlohmann::json& from, faults& wrong, std::string path = {}) {
  const auto before = wrong.size();
  Value value;
  field_reader fields(from, std::move(path), wrong);
  read(fields, value);
  fields.finish();
  if (wrong.size() != before) return std::nullopt;
  return value;
}

/// Reads an object inside another one.
template <class Value>
void read_member(field_reader& from, std::string_view name, Value& to,
                 presence p = presence::required) {
  if (const auto* inside = from.member(name, p))
    if (auto value = parse<Value>(*inside, from.wrong(), from.path_of(name)))
      to = std::move(*value);
}

}  // namespace troupe::trading
