#include "app/death_herald.hpp"

#include "actors/trading/notices.hpp"
#include "runtime/base/log.hpp"

namespace troupe::app {

using nlohmann::json;
using namespace std::chrono_literals;

namespace {
constexpr auto answer_within = 10s;
constexpr auto between_attempts = 500ms;
constexpr int attempts_max = 1200;
}  // namespace

death_herald::death_herald(caf::actor_config& config, caf::actor admin,
                           std::vector<std::string> channels)
    : caf::event_based_actor(config), admin_(std::move(admin)), channels_(std::move(channels)) {}

caf::behavior death_herald::make_behavior() {
  set_error_handler([](caf::error&) {});
  return {
      [this](order_atom, std::int64_t life, const std::string& node) {
        if (!told_.insert(life).second) return;
        for (const auto& channel : channels_) tell(channel, life, node, 1);
      },
      [this](order_atom, const std::string& channel, std::int64_t life, const std::string& node,
             int attempt) { tell(channel, life, node, attempt); },
  };
}

void death_herald::tell(const std::string& channel, std::int64_t life, const std::string& node,
                        int attempt) {
  const auto id = "node-death-" + std::to_string(life);
  const json request{{"verb", "ask"},
                     {"entity", std::string(trading::notification_kind) + '/' + channel},
                     {"type", "notify"},
                     {"body", trading::json_of({id,
                                                "node_deaths",
                                                "node " + node + " was declared dead",
                                                {{"node", node}, {"incarnation", life}}})},
                     {"id", id + '@' + channel}};
  const auto again = [this, channel, life, node, attempt](const std::string& why) {
    if (attempt < attempts_max)
      return delayed_send(this, between_attempts, order_atom_v, channel, life, node, attempt + 1);
    log::error("notification", "death_not_told",
               {{"channel", channel}, {"node", node}, {"incarnation", life}, {"reason", why}});
  };
  this->request(admin_, answer_within, admin_atom_v, request.dump())
      .then(
          [again](const std::string& text) {
            const auto answer = json::parse(text, nullptr, false);
            if (!answer.is_object() || answer.contains("error")) again(text);
          },
          [again](caf::error&) { again("no answer"); });
}

}  // namespace troupe::app
