#include "tests/chaos/faulty_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

namespace troupe::test {

using namespace std::chrono_literals;

namespace {

constexpr int accounts = 24;
constexpr std::int64_t opening_balance = 1000;

std::uint64_t other_seed() {
  const char* text = std::getenv("TROUPE_CHAOS_SEED");
  return text == nullptr ? 0 : std::stoull(text) * 1000;
}

std::string account(std::uint64_t n) {
  return "account-" + std::to_string(n % accounts);
}

}  // namespace

const market_outcome& undisturbed(const market_run::records& records) {
  static std::map<std::tuple<int, int, unsigned>, market_outcome> made;
  const std::tuple key{records.symbols, records.each, records.shards};
  auto it = made.find(key);
  if (it == made.end()) {
    market_run run({records.symbols, records.each, 1, records.shards}, {MIXED_NODE});
    it = made.emplace(key, run.play([](double) {}, 240s)).first;
  }
  return it->second;
}

faulty_cluster::faulty_cluster(std::uint64_t seed, const market_run::records& records)
    : random(seed + other_seed()), run(records, {MIXED_NODE}), records_(records), payments_(seed) {
  bridge::producer_options options;
  options.kafka.brokers = std::getenv("TROUPE_TEST_BROKERS");
  options.kafka.topic_prefix = run.folder().prefix();
  producer_ = std::make_unique<bridge::kafka_producer>(options);
}

void faulty_cluster::check(const std::function<void(double)>& fault) {
  const auto outcome = run.play(
      [&](double part) {
        transfer(25);
        fault(part);
      },
      240s);
  wait_until("all transfers", 60s, [&] { return settled(); });
  check_outcome(outcome, records_.each);
  check_money();
}

void faulty_cluster::check_outcome(const market_outcome& outcome, int each) const {
  const auto& expected = undisturbed({records_.symbols, each, 1, records_.shards});
  for (const auto& [view, rows] : expected.tables) {
    CAPTURE(view);
    CHECK((outcome.tables.at(view) == rows));
  }
  for (const auto& [topic, records] : expected.egress) {
    CAPTURE(topic);
    CHECK(outcome.egress.at(topic).size() == records.size());
    CHECK((outcome.egress.at(topic) == records));
  }
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.received + outcome.dead_letters == std::int64_t{records_.symbols} * each);
}

void faulty_cluster::check_money() const {
  CHECK(sql("select sum((state->>'balance')::int8) from entity where kind = 'savings'") ==
        std::to_string(accounts * opening_balance));
  CHECK(sql("select count(*) > 20 from channel where applied > 0") == "t");
}

bool faulty_cluster::settled() {
  return run.settled() && sql("select coalesce(sum(next), 0) from position where topic = "
                              "'savings.commands'") == std::to_string(commands_);
}

void faulty_cluster::send(const std::string& to, const std::string& type, nlohmann::json body) {
  producer_->send(
      "savings.commands",
      {to, nlohmann::json{{"to", "savings/" + to}, {"type", type}, {"body", body}}.dump(),
       std::nullopt, std::nullopt});
  ++commands_;
}

void faulty_cluster::transfer(int count) {
  if (commands_ == 0)
    for (int i = 0; i < accounts; ++i) send(account(i), "deposit", {{"amount", opening_balance}});
  for (int i = 0; i < count; ++i)
    send(account(payments_()), "transfer",
         {{"amount", 1 + payments_() % 50}, {"to", account(payments_())}});
  if (!producer_->flush(180s)) throw std::runtime_error("the test's own commands were not taken");
}

std::vector<int> faulty_cluster::some_nodes(int count) {
  std::vector<int> all(static_cast<std::size_t>(run.nodes()));
  std::iota(all.begin(), all.end(), 1);
  std::ranges::shuffle(all, random);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

}  // namespace troupe::test
