#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/egress_reader.hpp"

namespace troupe::test {

/// Accounts of the example kind `savings` on all shards: gives them commands by their topic, and
/// knows what each of them must come to.
class account_book {
 public:
  account_book(const cluster_folder& folder, std::uint64_t seed);

  /// Pays into every account what no transfers can use up: none of them is ever refused, in
  /// whatever order they meet.
  void open();
  /// Transfers between accounts chosen at random. Returns when they are in the topic; throws when
  /// one of them has not been taken.
  void transfer(int count);
  /// Whether all commands are committed. What they cause in other shards may still be on its way.
  bool settled() const;
  /// Everything must be committed and delivered. Checks that every account has its balance and has
  /// told each of its changes once, the last one last: one transfer too many or too few shows,
  /// though no money has come or gone by it.
  void check();
  /// As far as `check` has read it.
  const egress_topic& topic() const { return topic_; }

 private:
  struct due {
    std::int64_t balance = 0, changes = 0, paid_out = 0;
  };
  struct told {
    std::int64_t changes = 0, last = 0;
  };

  void send(const std::string& to, const std::string& type, const nlohmann::json& body);
  void flush();

  const cluster_folder& folder_;
  std::mt19937_64 random_;
  bridge::kafka_producer producer_;
  std::int64_t commands_ = 0;
  std::map<std::string, due> expected_;
  egress_topic topic_;
  std::map<std::string, told> told_;
};

}  // namespace troupe::test
