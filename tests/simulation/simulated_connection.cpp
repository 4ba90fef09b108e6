#include "tests/simulation/simulated_connection.hpp"

namespace troupe::simulation {

void simulated_connection::call(work what, std::function<void(end)> then) {
  waiting_.push_back({std::move(what), std::move(then)});
  if (!busy_) next();
}

void simulated_connection::next() {
  busy_ = !waiting_.empty();
  if (!busy_) return;
  auto call = std::move(waiting_.front());
  waiting_.pop_front();
  if (!database_.answers() || !network_.reaches(node_, simulated_network::database))
    return finish(call, time_.chance(50) ? end::unreached : end::unknown, time_.between(5, 1000));
  if (time_.mishap(2)) return lose(call);
  time_.after(delay(), [self = shared_from_this(), call] {
    if (!self->database_.answers()) return self->finish(call, end::unknown, self->delay());
    call.what([self, call] {
      const bool back = self->database_.answers() &&
                        self->network_.reaches(simulated_network::database, self->node_);
      self->finish(call, back ? end::answered : end::unknown, self->delay());
    });
  });
}

void simulated_connection::lose(const waiting& call) {
  const bool arrives = time_.below(3) > 0, late = time_.chance(50);
  time_.note("node ", node_ + 1, " loses a connection; the call ",
             arrives ? late ? "is late" : "is carried out" : "is lost");
  if (arrives)
    time_.after(late ? time_.between(5, 3000) : delay(), [self = shared_from_this(), call] {
      if (self->time_.faults && self->database_.answers()) call.what([] {});
    });
  finish(call, end::unknown, time_.between(5, 300));
}

void simulated_connection::finish(const waiting& call, end how, ms delay) {
  time_.after(delay, [self = shared_from_this(), then = call.then, how] {
    self->at_node_([self, then, how] {
      then(how);
      self->next();
    });
  });
}

}  // namespace troupe::simulation
