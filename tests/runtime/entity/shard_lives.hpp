#pragma once

#include <memory>

#include "runtime/entity/supervision.hpp"
#include "tests/runtime/entity/model_world.hpp"

namespace troupe::test {

/// A shard, its disk and its successive lives, as its supervisor lets it live. A test gives it
/// kinds and topics.
struct shard_lives {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;
  supervision_limits rules;
  shard_supervision supervision{rules};

  void begin() {
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine =
        std::make_unique<shard_machine>(shard_id(0), setup, *world, supervision.poisoned());
    world->machine->start();
  }
  shard_machine& machine() const { return *world->machine; }
};

}  // namespace troupe::test
