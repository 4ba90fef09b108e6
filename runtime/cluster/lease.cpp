#include "runtime/cluster/lease.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"

namespace troupe::cluster {

lease::lease(const lease_options& options) : options_(options) {
  ensure(options_.consistent(), "lease options that survive one lost renewal");
}

void lease::requested(steady_time now) {
  requested_at_ = now;
  next_renewal_ = now + options_.renew_every;
}

void lease::answered(store::renewal result, steady_time now) {
  switch (result) {
    case store::renewal::renewed:
      // An answer may overtake nothing, but a renewal that timed out never shortens what an earlier
      // one gave.
      valid_until_ = std::max(valid_until_, requested_at_ + options_.ttl - options_.margin);
      next_renewal_ = requested_at_ + options_.renew_every;
      break;
    case store::renewal::superseded:
    case store::renewal::dead:
      ended_ = true;
      end_ = result;
      break;
    case store::renewal::unavailable:
      next_renewal_ = now + options_.retry_after;
      break;
  }
}

}  // namespace troupe::cluster
