#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/ops/notification_channel.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::ops {

/// Egress: what channels of the type `kafka` carry, keyed by the channel's name.
inline constexpr std::string_view notifications_topic = "notifications";
/// Services that the entity calls; their answers are `{outcome, detail}` (attempt_outcome).
inline constexpr std::string_view log_service = "log";          // `{level, channel, body}`
inline constexpr std::string_view webhook_service = "webhook";  // `{channel, time, body}`
/// Rule of notifications that operators send themselves.
inline constexpr std::string_view test_rule = "test";

/// A channel that carries notifications outside; its key is the channel's name.
///
/// | message | from | then |
/// |---|---|---|
/// | `notify` `{id, rule, text, facts}` | anybody | it is carried outside, once for each id |
/// | `fate` `{id}` | clients | how far that one has come |
/// | `show` | clients | the state |
///
/// What leaves: the body `{id, rule, channel, text, facts, time}`, the same at each attempt. What
/// is given up goes to the dead-letter topic, by reason, and to the log as an error.
class notification_entity final : public entity {
 public:
  notification_entity(std::string name, std::shared_ptr<const notification_options> options);

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;

 private:
  class outlet;
  void notify(const message& what, const context& where, effects& out);
  void hear(const message& what, const context& where, effects& out);
  void settle(outlet& to, const context& where, effects& out);
  const channel_options* settings() const;

  const std::string name_;
  const std::shared_ptr<const notification_options> options_;
  notification_channel core_;
  std::optional<time_point> timer_;  // When the durable timer fires.
};

kind_def make_notification_kind(std::shared_ptr<const notification_options> options);

}  // namespace troupe::ops
