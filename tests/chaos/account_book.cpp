#include "tests/chaos/account_book.hpp"

#include <doctest/doctest.h>

namespace troupe::test {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr int accounts = 24;
constexpr std::int64_t opening_balance = 1'000'000'000;
constexpr auto commands_topic = "savings.commands";

std::string name_of(std::uint64_t n) {
  return "account-" + std::to_string(n % accounts);
}

bridge::producer_options options_of(const cluster_folder& folder) {
  bridge::producer_options options;
  options.kafka.brokers = std::getenv("TROUPE_TEST_BROKERS");
  options.kafka.topic_prefix = folder.prefix();
  return options;
}

}  // namespace

account_book::account_book(const cluster_folder& folder, std::uint64_t seed)
    : folder_(folder), random_(seed), producer_(options_of(folder)), topic_(folder, "balances") {}

void account_book::open() {
  for (int i = 0; i < accounts; ++i) {
    send(name_of(i), "deposit", {{"amount", opening_balance}});
    expected_[name_of(i)] = {opening_balance, 1, 0};
  }
  flush();
}

void account_book::transfer(int count) {
  for (int i = 0; i < count; ++i) {
    const auto from = name_of(random_()), to = name_of(random_());
    const auto amount = 1 + static_cast<std::int64_t>(random_() % 50);
    send(from, "transfer", {{"amount", amount}, {"to", to}});
    auto& payer = expected_.at(from);
    payer.paid_out += amount;
    if (payer.paid_out > opening_balance) throw std::runtime_error("a transfer may be refused");
    payer.balance -= amount;
    ++payer.changes;
    expected_.at(to).balance += amount;
    ++expected_.at(to).changes;
  }
  flush();
}

bool account_book::settled() const {
  return folder_.database().run("select coalesce(sum(next), 0) from position where topic = '" +
                                std::string(commands_topic) + "'") == std::to_string(commands_);
}

void account_book::check() {
  topic_.read([&](const std::string& key, const std::string& payload) {
    auto& tale = told_[key];
    ++tale.changes;
    tale.last = json::parse(payload).at("balance");
  });
  const auto states = json::parse(folder_.database().run(
      "select json_object_agg(key, state->'balance') from entity where kind = 'savings'"));
  CHECK(states.size() == expected_.size());
  for (const auto& [name, account] : expected_) {
    CAPTURE(name);
    CHECK(states.value(name, std::int64_t{0}) == account.balance);
    CHECK(told_[name].changes == account.changes);
    CHECK(told_[name].last == account.balance);
  }
  if (commands_ > 500)  // Most shards have sent some to most others.
    CHECK(folder_.database().run("select count(*) > 20 from channel where applied > 0") == "t");
}

void account_book::send(const std::string& to, const std::string& type, const json& body) {
  producer_.send(commands_topic,
                 {to, json{{"to", "savings/" + to}, {"type", type}, {"body", body}}.dump(),
                  std::nullopt, std::nullopt});
  ++commands_;
}

void account_book::flush() {
  if (!producer_.flush(180s) || producer_.figures().failed > 0)
    throw std::runtime_error("the test's own commands were not taken: " +
                             producer_.figures().last_error);
}

}  // namespace troupe::test
