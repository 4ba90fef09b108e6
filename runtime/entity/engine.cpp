#include "runtime/entity/engine.hpp"

#include <algorithm>
#include <thread>

#include "runtime/cluster/link_module.hpp"
#include "runtime/cluster/scheduler.hpp"
#include "runtime/entity/actor_messages.hpp"

namespace troupe {

engine_config::engine_config(std::size_t threads, std::chrono::milliseconds heartbeat) {
  add_message_types<caf::id_block::troupe>();
  module_factories.emplace_back(cluster::make_link_module);
  load<caf::scheduler::coordinator<cluster::stealing>>();
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  set("scheduler.max-threads", threads);
  set("scheduler.max-throughput", std::size_t{300});
  set("middleman.heartbeat-interval", caf::timespan{heartbeat});
  // It would cut a link on which one large frame takes longer than that.
  set("middleman.connection-timeout", caf::timespan{0});
}

}  // namespace troupe
