#pragma once

#include <caf/actor_system.hpp>

namespace troupe::cluster {

/// CAF's middleman, with a broker for links that differs from CAF's own in two things:
/// - Nothing of a peer stays when it has gone. CAF's keeps an actor for every peer that it has ever
///   met, by which actors could be started there: an operator's every command would cost the node
///   memory for ever. Here that actor is not made.
/// - Who has been dialled has `middleman.connection-timeout` to answer, like everybody else. CAF's
///   takes it for silent since 1970 and gives it up at the next heartbeat.
/// Use: `config.module_factories.emplace_back(make_link_module)`, instead of loading the middleman.
caf::actor_system::module* make_link_module(caf::actor_system& system);

}  // namespace troupe::cluster
