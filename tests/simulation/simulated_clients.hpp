#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/invariants.hpp"
#include "tests/simulation/simulated_shard.hpp"

namespace troupe::simulation {

/// Clients outside the cluster. Each asks for one thing after another: transfers, promised bonuses,
/// balances, and now and then again for what it has had an answer to. It asks whichever node it
/// thinks of, and after silence or a refusal asks again with the same id.
class simulated_clients {
 public:
  simulated_clients(world& w, std::uint32_t accounts);

  void start();
  /// Everybody has been answered; and since faults ended, has seen all accounts once more.
  bool content() const;
  /// What the accounts must hold by the answers that were given.
  const std::map<entity_id, invariants::account>& expected() const { return expected_; }
  std::int64_t orders() const { return orders_; }

 private:
  struct order {
    entity_id to;
    std::optional<message> what;  // Nothing: show the committed state.
    std::string id;               // Empty for reads.
  };
  struct client {
    std::optional<order> current;
    std::int64_t attempt = 0;  // Over all orders.
  };
  std::optional<order> invent();
  order invent_transfer();
  void next(std::size_t number);
  void ask(std::size_t number);
  void check(const order& what, const nlohmann::json& answer, steady_time asked);
  void accept(std::size_t number, std::int64_t attempt, const nlohmann::json& answer);
  void book(const order& done, const nlohmann::json& answer);
  simulated_node& choose_node(const entity_id& to);
  entity_id random_account();

  world& world_;
  const std::uint32_t accounts_;
  std::vector<client> clients_;
  std::int64_t orders_ = 0;
  std::uint32_t seen_at_end_ = 0;  // Accounts.
  std::map<entity_id, invariants::account> expected_;
  std::set<entity_id> promised_;
  std::vector<order> done_;
  std::map<std::string, nlohmann::json> answers_;  // By request id.
};

}  // namespace troupe::simulation
