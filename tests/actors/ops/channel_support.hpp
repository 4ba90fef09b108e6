#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actors/ops/notification_channel.hpp"

namespace troupe::ops::test {

using namespace std::chrono_literals;

/// Writes down what a channel wants.
class heard final : public channel_listener {
 public:
  void send(const notification& what) override { sent.push_back(what.id); }
  void died(const notification& what, death why, const std::string&) override {
    dead.emplace_back(what.id, why);
  }
  std::vector<std::string> take_sent() { return std::exchange(sent, {}); }

  std::vector<std::string> sent;
  std::vector<std::pair<std::string, death>> dead;
};

inline notification notice(std::string id) {
  notification n;
  n.id = std::move(id);
  n.rule = "fills";
  n.text = "text of " + n.id;
  n.facts = {{"price", "1.5"}};
  return n;
}

inline const time_point start = from_micros(1'700'000'000'000'000);

}  // namespace troupe::ops::test
