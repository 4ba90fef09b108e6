#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/security/certificates.hpp"
#include "runtime/security/credentials.hpp"

namespace troupe::test {

/// Another kind of life than from now on for an hour: expired, not yet begun.
struct certificate_life {
  std::chrono::seconds from{0};
  std::chrono::seconds valid{3600};
};

/// A folder with an authority and what it issues, made by the project's own code; goes with the
/// test.
class certificate_files {
 public:
  explicit certificate_files(const std::string& cluster)
      : cluster_(cluster), authority_(security::make_authority(cluster, std::chrono::hours(240))) {
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("troupe-certs-" + std::to_string(::getpid()) + '-' + std::to_string(++count));
    std::filesystem::create_directories(folder_);
    write("ca.crt", authority_.certificate, 0644);
  }
  ~certificate_files() { std::filesystem::remove_all(folder_); }
  certificate_files(const certificate_files&) = delete;
  certificate_files& operator=(const certificate_files&) = delete;

  security::credential_files issue(security::role as, const std::string& name,
                                   certificate_life l) const {
    const auto pair = security::issue(authority_, {{cluster_, as, name}, l.valid, {}, l.from});
    return {path("ca.crt"), write(name + ".crt", pair.certificate, 0644),
            write(name + ".key", pair.key, 0600)};
  }
  security::credential_files node(const std::string& id, certificate_life l = {}) const {
    return issue(security::role::node, id, l);
  }
  security::credential_files person(const std::string& name, certificate_life l = {}) const {
    return issue(security::role::operator_, name, l);
  }
  const std::string& cluster() const { return cluster_; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string text(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    const auto file = path(name);
    std::filesystem::remove(file);
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }

 private:
  std::string cluster_;
  security::key_pair authority_;
  std::filesystem::path folder_;
};

}  // namespace troupe::test
