#include "app/link_identity.hpp"

namespace troupe::app {

namespace {

cluster::link_self make_self(const settings& all, security::identity who,
                             const std::string& certificate, const std::string& key) {
  const auto& s = all.node.security;
  cluster::link_self self;
  self.who = std::move(who);
  self.token = s.token;
  if (!s.tls()) return self;
  try {
    self.credentials = std::make_shared<security::credentials>(
        security::credential_files{s.ca_file, certificate, key}, self.who);
  } catch (const security::credentials_error& e) {
    throw cluster::link_error(e.what());
  }
  return self;
}

}  // namespace

cluster::link_self node_self(const settings& all) {
  const auto& s = all.node.security;
  if (s.tls() && s.certificate_file.empty())
    throw cluster::link_error(
        "a node needs security.certificate_file and key_file; this config is an operator's "
        "(troupe certs node ID makes them)");
  return make_self(all, {all.cluster.name, security::role::node, all.node.id}, s.certificate_file,
                   s.key_file);
}

cluster::link_self operator_self(const settings& all) {
  const auto& s = all.node.security;
  security::identity who{all.cluster.name, security::role::operator_, "local"};
  if (s.tls()) {
    if (s.operator_certificate_file.empty())
      throw cluster::link_error(
          "the nodes ask for a certificate: set security.operator_certificate_file and "
          "operator_key_file in the config (troupe certs operator NAME makes them)");
    const auto proved = security::holder_of(s.operator_certificate_file);
    if (!proved)
      throw cluster::link_error(s.operator_certificate_file + " is no operator's certificate");
    who = *proved;
  }
  return make_self(all, who, s.operator_certificate_file, s.operator_key_file);
}

}  // namespace troupe::app
