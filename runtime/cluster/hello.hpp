#pragma once

#include <string>

#include "runtime/base/ids.hpp"
#include "runtime/cluster/link_socket.hpp"

namespace troupe::cluster {

/// What two ends of a link tell each other first, before CAF begins; inside TLS where there is TLS.
struct hello {
  security::identity from;  // The dialler; in an answer the listener.
  incarnation life{0};      // The dialler's; 0: an operator, or a node that has not joined yet.
  std::string to;           // The node that it wants to reach; empty: any.
  std::string token;
  std::string refusal;  // In an answer: why there will be no link.
};

/// What came is no hello of this version.
struct unknown_protocol : link_error {
  using link_error::link_error;
};

void send_hello(link_socket& to, const hello& what, deadline until);
/// Throws unknown_protocol, or link_error with the reason: silence, a broken connection.
hello read_hello(link_socket& from, deadline until);

}  // namespace troupe::cluster
