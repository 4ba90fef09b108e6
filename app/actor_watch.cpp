#include "app/actor_watch.hpp"

namespace troupe::app {

caf::behavior watch_actors(
    caf::event_based_actor* self, const watched_actors& all,
    std::function<void(const std::string& name, const std::string& reason)> ended) {
  for (const auto& [name, actor] : all) self->monitor(actor);
  self->set_down_handler([self, all, ended = std::move(ended)](const caf::down_msg& m) {
    for (const auto& [name, actor] : all)
      if (actor == m.source) ended(name, self->home_system().render(m.reason));
  });
  return {[](caf::unit_t) {}};  // It hears of ends only.
}

}  // namespace troupe::app
