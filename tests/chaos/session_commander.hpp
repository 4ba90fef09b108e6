#pragma once

#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/trading_run.hpp"

namespace troupe::test {

/// Gives sessions commands at nodes chosen at random, right ones and wrong ones, each until it is
/// answered, some again afterwards; and knows what the answers must be.
class session_commander {
 public:
  /// What is created again and again, under names that begin with `name`.
  struct plan {
    std::string name, portfolio;
    std::vector<std::string> words;  // The rest of `troupe session create`.
  };
  session_commander(const trading_run& run, std::vector<plan> plans, std::uint64_t seed);

  /// One command to one of the sessions.
  void step();
  /// Stops every session that is not stopped.
  void stop_all();

  std::int64_t given() const { return given_; }
  std::int64_t repeated() const { return repeated_; }
  /// Answers that were not as they must be.
  const std::vector<std::string>& wrong() const { return wrong_; }
  /// Every session that was ever created, and its phase.
  const std::map<std::string, std::string>& phases() const { return phases_; }
  /// Every command by its id, and what `session.events` must tell of it.
  const std::map<std::string, std::string>& told() const { return told_; }

 private:
  struct line {
    plan what;
    int generation = 0;
    std::string name, phase;  // Nothing: not created yet.
    std::vector<std::pair<std::vector<std::string>, nlohmann::json>> done;
  };

  std::string choose(const line& of);
  std::vector<std::string> words_of(const line& of, const std::string& command) const;
  void give(line& of, const std::string& command);
  void give_again(const line& of);
  nlohmann::json ask(const std::vector<std::string>& words);

  const trading_run& run_;
  std::vector<line> lines_;
  std::mt19937_64 random_;
  std::int64_t given_ = 0, repeated_ = 0;
  std::string prefix_;  // Of ids.
  std::vector<std::string> wrong_;
  std::map<std::string, std::string> phases_, told_;
};

}  // namespace troupe::test
