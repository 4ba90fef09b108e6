#pragma once

#include "runtime/entity/entity.hpp"

namespace troupe::example {

/// The pure core: a state and what each message does to it. Amounts are integers in minor units.
struct savings {
  std::int64_t balance = 0;
  std::int64_t bonuses = 0;
};

/// Kind `savings`: takes `deposit`, `withdraw`, `transfer`, `credit`, `promise_bonus` and
/// `show_balance`.
kind_def savings_kind();

/// Topic to which an account tells every change of its balance.
inline constexpr std::string_view balances_topic = "balances";

}  // namespace troupe::example
