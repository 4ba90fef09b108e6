#pragma once

#include <chrono>

#include "runtime/base/clock.hpp"
#include "runtime/store/node_store.hpp"

namespace troupe::cluster {

struct lease_options {
  /// How long an unrenewed lease keeps others from taking the node's shards. Longer rides out
  /// stalls of the database; shorter shortens the outage when suspicion by other means fails.
  std::chrono::milliseconds ttl{6'000};
  /// The holder stops so long before the end: covers the drift of two clocks during one ttl and the
  /// time that stopping takes.
  std::chrono::milliseconds margin{1'500};
  /// Time between the starts of two renewals. Several must fit into ttl - margin.
  std::chrono::milliseconds renew_every{1'000};
  /// Pause before trying again after a renewal that the database did not answer.
  std::chrono::milliseconds retry_after{200};

  /// One lost renewal must not lose the lease.
  bool consistent() const { return margin > margin.zero() && 2 * renew_every + margin < ttl; }
};

/// What a node may believe about its own lease, from its monotonic clock alone. Pure: time comes
/// with the call. The lease is counted from before the request was sent, since the server may have
/// granted it at any moment after that; so the holder's end always comes before the server's.
class lease {
 public:
  /// Requires: options.consistent().
  explicit lease(const lease_options& options);

  /// A request (joining or renewing) is about to be sent.
  void requested(steady_time now);
  /// Its answer. Joining counts as `renewed`.
  void answered(store::renewal result, steady_time now);

  /// The node may act as an owner.
  bool valid(steady_time now) const { return !ended_ && now < valid_until_; }
  /// The node is to stop its shards; so also before the first answer.
  bool must_stop(steady_time now) const { return !valid(now); }
  /// This incarnation is dead for ever: join anew.
  bool ended() const { return ended_; }
  /// Why, if ended.
  store::renewal end() const { return end_; }

  steady_time valid_until() const { return valid_until_; }
  /// When the next renewal is due. An ended lease is never renewed.
  steady_time next_renewal() const { return ended_ ? steady_time::max() : next_renewal_; }

 private:
  const lease_options options_;
  steady_time requested_at_{};
  steady_time valid_until_ = steady_time::min();
  steady_time next_renewal_ = steady_time::min();
  bool ended_ = false;
  store::renewal end_ = store::renewal::renewed;
};

}  // namespace troupe::cluster
