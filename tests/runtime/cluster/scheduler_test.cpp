#include "runtime/cluster/scheduler.hpp"

#include <doctest/doctest.h>

#include <caf/all.hpp>
#include <future>

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;

struct config : caf::actor_system_config {
  explicit config(std::size_t threads) {
    load<caf::scheduler::coordinator<stealing>>();
    set("scheduler.max-threads", threads);
    set("scheduler.max-throughput", std::size_t{300});
  }
};

caf::behavior answerer() {
  return {[](int n) { return n + 1; }};
}

/// Asks the other, and again when it has answered, for ever.
caf::behavior asker(caf::event_based_actor* self, const caf::actor& other) {
  self->set_error_handler([](caf::error&) {});
  self->send(self, 0);
  return {[=](int n) {
    self->request(other, caf::infinite, n).then([=](int next) { self->send(self, next); });
  }};
}

}  // namespace

TEST_CASE("a system ends while its actors ask each other questions") {
  for (const std::size_t threads : {1, 2, 3}) {
    CAPTURE(threads);
    auto ended = std::async(std::launch::async, [&] {
      config c(threads);
      caf::actor_system system{c};
      system.await_actors_before_shutdown(false);
      for (int i = 0; i < 20; ++i) system.spawn(asker, system.spawn(answerer));
    });
    // A deadlock: the test's own end would wait for it.
    if (ended.wait_for(30s) != std::future_status::ready) {
      std::fputs("the scheduler does not stop\n", stderr);
      std::_Exit(1);
    }
  }
}

}  // namespace troupe::cluster
