#pragma once

#include <caf/all.hpp>

#include "runtime/entity/actor_messages.hpp"

namespace troupe {

/// The mailbox shell of one entity: recovers its core, delivers to it, and carries what it decides
/// to the shard host. A core that throws makes the shell deaf and takes the shard down.
class entity_actor final : public caf::event_based_actor {
 public:
  entity_actor(caf::actor_config& config, caf::actor host, slot_id slot, const kind_def* kind,
               entity_id id, std::shared_ptr<store::entity_row> row);

  caf::behavior make_behavior() override;
  void on_exit() override { host_ = nullptr; }

 private:
  void recover();
  void on_absorb(const absorb_events& m);
  void on_handle(const handle_message& m);
  void on_feed(const feed_entity& m);
  void on_save(const save_entity& m);
  void fail(entity_task doing, std::string reason, std::optional<position> event = std::nullopt);

  caf::actor host_;
  const slot_id slot_;
  const kind_def* const kind_;
  const entity_id id_;
  std::shared_ptr<store::entity_row> row_;  // Until recovered.
  std::unique_ptr<entity> core_;
  effects output_;     // Log plane: gathered since the last save.
  bool told_ = false;  // The host knows that output waits.
  bool failed_ = false;
};

}  // namespace troupe
