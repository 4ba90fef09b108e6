#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct x509_st;

namespace troupe::security {

enum class role : std::uint8_t { node, operator_ };

/// Who holds a certificate: a URI in its subjectAltName, `troupe://CLUSTER/node/ID` or
/// `troupe://CLUSTER/operator/NAME`.
struct identity {
  std::string cluster;
  role as = role::node;
  std::string name;

  bool operator==(const identity&) const = default;
};

/// 1 to 32 of a-z 0-9 -, as clusters, nodes and operators are named.
bool is_name(std::string_view text);

/// `node/node-1`, `operator/alice`: an identity within its cluster.
std::string short_text(const identity& who);
std::string to_uri(const identity& who);
/// Nothing when it is no identity.
std::optional<identity> parse_identity(std::string_view uri);

/// Whom a certificate names; nothing when it has no identity, or several.
std::optional<identity> identity_of(const x509_st* certificate);

}  // namespace troupe::security
