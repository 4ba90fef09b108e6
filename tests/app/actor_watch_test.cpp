#include "app/actor_watch.hpp"

#include <doctest/doctest.h>

#include <future>

#include "runtime/entity/engine.hpp"

namespace troupe::app {

namespace {

caf::behavior idle() {
  return {[](int) {}};
}

}  // namespace

TEST_CASE("of each actor that is watched over it is told when it ends, and why") {
  engine_config config{2};
  caf::actor_system system{config};
  const auto a = system.spawn(idle), b = system.spawn(idle), c = system.spawn(idle);
  std::promise<std::string> told;
  const auto watch =
      system.spawn(watch_actors, watched_actors{{"a", a.address()}, {"b", b.address()}},
                   [&](const std::string& name, const std::string& reason) {
                     told.set_value(name + ": " + reason);
                   });
  caf::anon_send_exit(c, caf::exit_reason::kill);
  caf::anon_send_exit(b, caf::exit_reason::kill);
  CHECK(told.get_future().get() == "b: exit_reason(kill)");
  caf::anon_send_exit(watch, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
}

TEST_CASE("who has ended before anybody watched is told of, too") {
  engine_config config{2};
  caf::actor_system system{config};
  const auto a = system.spawn(idle);
  caf::anon_send_exit(a, caf::exit_reason::kill);
  caf::scoped_actor {
    system
    } -> wait_for(a);
  std::promise<std::string> told;
  const auto watch =
      system.spawn(watch_actors, watched_actors{{"a", a.address()}},
                   [&](const std::string& name, const std::string&) { told.set_value(name); });
  CHECK(told.get_future().get() == "a");
  caf::anon_send_exit(watch, caf::exit_reason::user_shutdown);
}

}  // namespace troupe::app
