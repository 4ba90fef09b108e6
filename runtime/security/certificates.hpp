#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/security/identity.hpp"

namespace troupe::security {

/// A certificate and its private key, as PEM texts.
struct key_pair {
  std::string certificate;
  std::string key;
};

/// A new authority, which signs nothing but certificates of holders. Keys are EC P-256. Throws
/// std::runtime_error when OpenSSL fails.
key_pair make_authority(const std::string& cluster, std::chrono::seconds valid);

/// What a certificate is to say.
struct certificate_request {
  identity who;
  std::chrono::seconds valid;
  /// IPv4 addresses or names, for tools that check them; Troupe checks the identity.
  std::vector<std::string> hosts;
  /// The beginning of its validity, seen from now.
  std::chrono::seconds from{0};
};

/// A new key and the authority's certificate for it. A node's may answer and call, an operator's
/// only call. Throws std::runtime_error: the authority cannot be read, or is of another cluster.
key_pair issue(const key_pair& authority, const certificate_request& what);

/// The cluster whose authority it is; empty when it is none.
std::string authority_of(const std::string& certificate);

/// What a certificate says, in lines for people. Throws std::runtime_error when it is none.
std::string describe_certificate(const std::string& certificate);

}  // namespace troupe::security
