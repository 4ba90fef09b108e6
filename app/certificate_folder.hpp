#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/security/certificates.hpp"

namespace troupe::app {

/// A folder with a cluster's authority (`ca.crt`, `ca.key`) and what it has issued (`NAME.crt`,
/// `NAME.key`). Keys can be read by their owner only. Every function throws failure with the file
/// and the remedy.
class certificate_folder {
 public:
  struct options {
    std::string folder = "var/certs";
    int days = 365;
    bool force = false;  // Replace files that exist.
  };
  explicit certificate_folder(options o) : options_(std::move(o)) {}

  void make_authority(const std::string& cluster) const;
  /// Refuses names of which any cannot be issued: it is no name, stands twice, or has files.
  void check(const std::vector<std::string>& names) const;
  /// Hosts: addresses for the certificate of a node.
  void issue(security::role as, const std::string& name,
             const std::vector<std::string>& hosts) const;

  bool has(const std::string& name) const { return std::filesystem::exists(certificate(name)); }
  std::string certificate(const std::string& name) const { return path(name, ".crt"); }
  std::string key(const std::string& name) const { return path(name, ".key"); }
  std::string authority() const { return certificate("ca"); }

 private:
  std::string path(const std::string& name, const char* ending) const {
    return (std::filesystem::path(options_.folder) / (name + ending)).string();
  }
  security::key_pair read_authority() const;
  security::key_pair issue_by(const security::key_pair& authority, security::role as,
                              const std::string& name, const std::vector<std::string>& hosts) const;
  void check_name(const std::string& name) const;
  void refuse_existing(const std::string& name) const;
  void write(const std::string& name, const security::key_pair& pair) const;

  const options options_;
};

}  // namespace troupe::app
