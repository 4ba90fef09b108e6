#pragma once

#include <caf/all.hpp>
#include <functional>
#include <map>
#include <string>

namespace troupe::app {

/// By the names under which they are told of.
using watched_actors = std::map<std::string, caf::actor_addr>;

/// Behavior of an actor that watches over others, without which a node is none: `ended` hears of
/// each that ends, for whatever reason, also if it has ended already.
caf::behavior watch_actors(
    caf::event_based_actor* self, const watched_actors& all,
    std::function<void(const std::string& name, const std::string& reason)> ended);

}  // namespace troupe::app
