#include "tests/simulation/simulated_clients.hpp"

#include <algorithm>

#include "tests/simulation/world.hpp"

namespace troupe::simulation {

namespace {

using nlohmann::json;

constexpr std::size_t clients = 8;

/// Whether this is the end of the matter: the request has had its effect, or never will.
bool is_final(const json& answer) {
  return !answer.contains("error") || answer["error"] == "insufficient_funds";
}

}  // namespace

simulated_clients::simulated_clients(world& w, std::uint32_t accounts)
    : world_(w), accounts_(accounts), clients_(clients) {
  for (std::uint32_t i = 0; i < accounts; ++i) {
    const entity_id id{"savings", std::to_string(i)};
    world_.database.rules.open_account(world_.setup.shard_of(id), id);
    expected_[id] = {invariants::opening_balance, 0};
  }
}

void simulated_clients::start() {
  for (std::size_t i = 0; i < clients_.size(); ++i)
    world_.time.after(world_.time.between(0, 1000), [this, i] { next(i); });
}

bool simulated_clients::content() const {
  return seen_at_end_ == accounts_ &&
         std::ranges::none_of(clients_, [](const client& c) { return c.current.has_value(); });
}

entity_id simulated_clients::random_account() {
  return {"savings", std::to_string(world_.time.below(accounts_))};
}

/// Every transfer has an amount of its own, which tells it from all others.
simulated_clients::order simulated_clients::invent_transfer() {
  const auto amount = ++orders_;
  const auto from = random_account();
  auto to = random_account();
  while (to == from) to = random_account();
  return {from, message{"transfer", {{"to", to.key}, {"amount", amount}}},
          "transfer-" + std::to_string(amount)};
}

std::optional<simulated_clients::order> simulated_clients::invent() {
  if (!world_.time.faults) {
    if (seen_at_end_ == accounts_) return std::nullopt;
    return order{{"savings", std::to_string(seen_at_end_++)}, {}, {}};
  }
  const auto kind = world_.time.below(100);
  if (kind < 10) return order{random_account(), message{"show_balance", json::object()}, {}};
  if (kind < 20) return order{random_account(), {}, {}};
  if (kind < 27 && !done_.empty()) return done_[world_.time.below(done_.size())];
  if (const auto id = random_account(); kind < 32 && promised_.insert(id).second)
    return order{id,
                 message{"promise_bonus",
                         {{"amount", invariants::bonus},
                          {"delay_ms", world_.time.between(0, 5000).count()}}},
                 "bonus-" + id.key};
  return invent_transfer();
}

void simulated_clients::next(std::size_t number) {
  clients_[number].current = invent();
  if (clients_[number].current) ask(number);
}

/// Mostly the owner; often enough somebody who may only think so.
simulated_node& simulated_clients::choose_node(const entity_id& to) {
  auto* owner = world_.find(world_.database.owner_of(world_.setup.shard_of(to)).life);
  if (owner != nullptr && world_.time.chance(60)) return *owner;
  return *world_.nodes[world_.time.below(world_.nodes.size())];
}

void simulated_clients::ask(std::size_t number) {
  auto& c = clients_[number];
  const auto attempt = ++c.attempt;
  auto& node = choose_node(c.current->to);
  const auto asked = world_.time.now();
  const auto answered = [this, number, attempt, asked, what = *c.current,
                         from = node.number()](const json& answer) {
    if (is_final(answer)) check(what, answer, asked);
    world_.network.send(from, simulated_network::clients,
                        [this, number, attempt, answer] { accept(number, attempt, answer); });
  };
  world_.network.send(simulated_network::clients, node.number(),
                      [&node, what = *c.current, answered] {
                        node.later(ms(0), [&node, what, answered] {
                          node.request(what.to, what.what, what.id, answered);
                        });
                      });
  world_.time.after(world_.time.between(300, 2000), [this, number, attempt] {
    if (clients_[number].current && clients_[number].attempt == attempt) ask(number);
  });
}

/// An answer leaves its node: from this moment on it must be true.
void simulated_clients::check(const order& what, const json& answer, steady_time asked) {
  auto& rules = world_.database.rules;
  if (!what.id.empty())
    rules.answered(world_.setup.shard_of(what.to), what.id, answer.dump());
  else if (what.what)
    rules.read(what.to, answer.at("balance"), asked);
  else
    rules.read(what.to, answer.at("state").at("balance"), asked);
}

void simulated_clients::accept(std::size_t number, std::int64_t attempt, const json& answer) {
  auto& c = clients_[number];
  if (!c.current || c.attempt != attempt) return;
  if (!is_final(answer))
    return world_.time.after(world_.time.between(10, 200), [this, number, attempt] {
      if (clients_[number].current && clients_[number].attempt == attempt) ask(number);
    });
  const auto done = std::move(*c.current);
  c.current.reset();
  if (!done.id.empty()) book(done, answer);
  world_.time.after(world_.time.between(10, 150), [this, number] { next(number); });
}

void simulated_clients::book(const order& done, const json& answer) {
  const auto [known, first] = answers_.emplace(done.id, answer);
  if (known->second != answer) throw broken("answers: " + done.id + " is answered in two ways");
  if (!first) return;
  done_.push_back(done);
  if (answer.contains("error")) return;
  const auto amount = done.what->body.at("amount").get<std::int64_t>();
  auto& account = expected_.at(done.to);
  if (done.what->type == "promise_bonus") {
    account.balance += amount;
    ++account.bonuses;
  } else {
    account.balance -= amount;
    expected_.at({"savings", done.what->body.at("to")}).balance += amount;
  }
}

}  // namespace troupe::simulation
