#include <doctest/doctest.h>

#include <array>
#include <string>

#include "actors/trading/order_life.hpp"

using namespace troupe::trading;

namespace {

constexpr std::size_t status_count = 7;

/// Every status (rows) and event (columns, in the order of life_event): what the status becomes, or
/// `=` for a repetition, `x` for already_final, `!` for beyond_quantity.
constexpr std::array<std::array<std::string_view, life_event_count>, status_count> table{{
    // acknowledged, filled_partly, filled_wholly, canceled, expired, rejected, cancel_asked,
    // cancel_refused
    {"working", "partially_filled", "filled", "canceled", "expired", "rejected", "pending",
     "pending"},
    {"=", "partially_filled", "filled", "canceled", "expired", "rejected", "working", "working"},
    {"=", "partially_filled", "filled", "canceled", "expired", "canceled", "partially_filled",
     "partially_filled"},
    {"=", "!", "!", "=", "=", "=", "x", "="},
    {"=", "canceled", "filled", "=", "=", "=", "x", "="},
    {"=", "expired", "filled", "=", "=", "=", "x", "="},
    {"=", "rejected", "filled", "=", "=", "=", "x", "="},
}};

std::string shown(order_status before, life_step step) {
  if (step.outcome == life_outcome::taken) return std::string(name_of(step.status));
  if (step.status != before) return "a refusal that changes the status";
  if (step.outcome == life_outcome::repeated) return "=";
  return step.outcome == life_outcome::already_final ? "x" : "!";
}

}  // namespace

TEST_CASE("an order's life: every status and event") {
  for (std::size_t s = 0; s < status_count; ++s)
    for (std::size_t e = 0; e < life_event_count; ++e) {
      const auto before = static_cast<order_status>(s);
      const auto what = static_cast<life_event>(e);
      CAPTURE(name_of(before));
      CAPTURE(name_of(what));
      CHECK(shown(before, transition(before, what)) == table[s][e]);
    }
}

TEST_CASE("an order that has ended never opens again, and one that is filled never changes") {
  for (std::size_t s = 3; s < status_count; ++s)
    for (std::size_t e = 0; e < life_event_count; ++e) {
      const auto before = static_cast<order_status>(s);
      const auto after = transition(before, static_cast<life_event>(e)).status;
      CHECK(is_final(after));
      if (before == order_status::filled) CHECK(after == order_status::filled);
    }
}
