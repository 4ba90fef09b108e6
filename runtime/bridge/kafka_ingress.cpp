#include "runtime/bridge/kafka_ingress.hpp"

#include <utility>

#include "runtime/bridge/ingress_poller.hpp"

namespace troupe::bridge {

kafka_ingress::kafka_ingress(ingress_options options)
    : poller_(std::make_unique<ingress_poller>(std::move(options))) {}
kafka_ingress::~kafka_ingress() = default;

void kafka_ingress::assign(shard_id shard, std::int64_t assignment, std::vector<start> from,
                           receiver to) {
  auto shared = std::make_shared<const receiver>(std::move(to));
  poller_->post([p = poller_.get(), shard, assignment, from = std::move(from),
                 to = std::move(shared)] { p->assign(shard, assignment, from, to); });
}

void kafka_ingress::unassign(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->unassign(shard); });
}
void kafka_ingress::pause(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->hold(shard, true); });
}
void kafka_ingress::resume(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->hold(shard, false); });
}
std::optional<steady_time> kafka_ingress::away_since() const {
  return poller_->away_since();
}
std::int64_t kafka_ingress::inflight() const {
  return poller_->inflight();
}

}  // namespace troupe::bridge
