#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "runtime/base/ids.hpp"

namespace troupe::store {

enum class renewal : std::uint8_t {
  renewed,
  superseded,   // Another process joined under this node id: this incarnation is dead for ever.
  dead,         // Declared dead, or left: dead for ever, too.
  unavailable,  // The database did not answer; the lease may or may not have been renewed.
};

/// Membership rows. A lease is the node's, ends at `alive_until` by PostgreSQL's clock, and is only
/// ever compared with that clock. For one thread at a time, but for `interrupt`; calls block.
class node_store {
 public:
  struct options {
    std::string dsn;
    /// A renewal that takes longer is given up by the server.
    std::chrono::milliseconds statement_timeout{1'000};
    std::chrono::seconds connect_timeout{3};
  };
  explicit node_store(const options& o);
  ~node_store();

  /// Enters the cluster with a lease of `ttl`. An earlier incarnation of the same id is dead from
  /// then on, and its connections are ended. Throws `unavailable_error`.
  incarnation join(const std::string& node, const std::string& address, const std::string& version,
                   std::chrono::milliseconds ttl);

  /// Extends the lease to now + ttl. A lease that had run out lives again, unless it was declared
  /// dead; shards may have been taken meanwhile.
  renewal renew(incarnation life, std::chrono::milliseconds ttl);

  /// Ends the lease. Returns false if the database did not answer.
  bool leave(incarnation life);

  /// Declares an incarnation dead for ever, and ends its connections. Returns false if the database
  /// did not answer.
  bool declare_dead(incarnation life);

  /// Breaks off the call under way, which then ends as unavailable. Any thread.
  void interrupt();

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace troupe::store
