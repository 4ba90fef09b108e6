#include "tests/support/savings_account.hpp"

namespace troupe::example {

namespace {

using nlohmann::json;

/// What a change of the balance tells the outside.
void tell_balance(const savings& account, const context& where, effects& out) {
  out.publish(balances_topic, where.self.key,
              json{{"account", where.self.key}, {"balance", account.balance}}.dump());
  out.reply({{"balance", account.balance}});
}

void decide(savings& account, const message& what, const context& where, effects& out) {
  const auto amount = what.body.value("amount", std::int64_t{0});
  if (what.type == "show_balance") {
    out.unchanged();
    return out.reply({{"balance", account.balance}});
  }
  if (amount <= 0) {
    out.unchanged();
    return out.reply({{"error", "amount_must_be_positive"}});
  }
  if (what.type == "promise_bonus") {  // Time is input: the bonus is a message to itself, later.
    const auto delay = std::chrono::milliseconds(what.body.value("delay_ms", 0));
    return out.set_timer("bonus", where.now + delay, {"pay_bonus", {{"amount", amount}}});
  }
  if (what.type == "deposit" || what.type == "credit" || what.type == "pay_bonus") {
    account.balance += amount;
    if (what.type == "pay_bonus") ++account.bonuses;
    return tell_balance(account, where, out);
  }
  if (amount > account.balance) {
    out.unchanged();
    return out.reply({{"error", "insufficient_funds"}, {"balance", account.balance}});
  }
  account.balance -= amount;
  if (what.type == "transfer")  // Reaches the other account exactly once, wherever it lives.
    out.tell({"savings", what.body.at("to").get<std::string>()}, {"credit", {{"amount", amount}}});
  tell_balance(account, where, out);
}

/// The thin face that the runtime sees.
class savings_entity final : public entity {
 public:
  void load(std::string_view state, int) override {
    const auto stored = json::parse(state, nullptr, false);
    if (!stored.is_object() || !stored.contains("balance")) throw bad_state("savings: no balance");
    account_ = {stored.at("balance"), stored.value("bonuses", std::int64_t{0})};
  }
  std::string save() const override {
    return json{{"balance", account_.balance}, {"bonuses", account_.bonuses}}.dump();
  }
  void handle(const message& what, const context& where, effects& out) override {
    decide(account_, what, where, out);
  }

 private:
  savings account_;
};

}  // namespace

kind_def savings_kind() {
  return {"savings", 1, false, [](const entity_id&) { return std::make_unique<savings_entity>(); }};
}

}  // namespace troupe::example
