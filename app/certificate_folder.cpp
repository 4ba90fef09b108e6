#include "app/certificate_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "app/failure.hpp"

namespace troupe::app {

namespace {

namespace fs = std::filesystem;

std::chrono::seconds days(int n) {
  return std::chrono::hours(24) * n;
}

[[noreturn]] void fail(const std::string& path) {
  throw unwritable_file(path + ": cannot be written: " + std::strerror(errno));
}

/// All of it or nothing: under another name first, so that a node that reads the file meanwhile
/// sees the old one or the new one.
void write_file(const std::string& path, const std::string& text, mode_t mode) {
  const auto draft = path + ".new";
  ::unlink(draft.c_str());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) fail(draft);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  if (::close(fd) != 0 || !written || ::rename(draft.c_str(), path.c_str()) != 0) fail(path);
}

}  // namespace

void certificate_folder::make_authority(const std::string& cluster) const {
  if (!security::is_name(cluster))
    throw wrong_arguments("--cluster is '" + cluster +
                          "', and a cluster's name is 1 to 32 of a-z 0-9 -");
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error)
    throw unwritable_file("--dir " + options_.folder +
                          ": cannot be made a folder: " + error.message());
  refuse_existing("ca");
  write("ca", security::make_authority(cluster, days(options_.days)));
}

void certificate_folder::check(const std::vector<std::string>& names) const {
  std::set<std::string> seen;
  for (const auto& name : names) {
    check_name(name);
    if (!seen.insert(name).second)
      throw wrong_arguments("'" + name + "' stands twice: each name has one certificate");
  }
}

void certificate_folder::check_name(const std::string& name) const {
  if (!security::is_name(name))
    throw wrong_arguments("'" + name + "': names of nodes and operators are 1 to 32 of a-z 0-9 -");
  if (name == "ca")
    throw wrong_arguments("'ca' is the name of the authority's files: choose another one");
  refuse_existing(name);
}

void certificate_folder::issue(security::role as, const std::string& name,
                               const std::vector<std::string>& hosts) const {
  check_name(name);
  for (const auto& host : hosts)
    if (host.empty() || host.find_first_of(",:\n\r") != std::string::npos)
      throw wrong_arguments("--host is '" + host + "', and must be an IPv4 address or a name");
  write(name, issue_by(read_authority(), as, name, hosts));
}

/// What OpenSSL says of files that it cannot use names none.
security::key_pair certificate_folder::issue_by(const security::key_pair& authority,
                                                security::role as, const std::string& name,
                                                const std::vector<std::string>& hosts) const {
  try {
    const auto cluster = security::authority_of(authority.certificate);
    if (!cluster.empty())
      return security::issue(authority, {{cluster, as, name}, days(options_.days), hosts});
  } catch (const std::runtime_error&) {
  }
  throw unusable_file(this->authority() + " and " + key("ca") +
                      ": are no certificate and key of a cluster's authority: `troupe certs init` "
                      "makes them");
}

security::key_pair certificate_folder::read_authority() const {
  if (!has("ca"))
    throw unreadable_file(authority() + ": does not exist: `troupe certs init --dir " +
                          options_.folder + " --cluster NAME` makes it");
  if (!fs::exists(key("ca")))
    throw unreadable_file(key("ca") +
                          ": does not exist: put it back; without it nothing is issued");
  return {read_text_file(authority()), read_text_file(key("ca"))};
}

void certificate_folder::refuse_existing(const std::string& name) const {
  for (const auto& file : {certificate(name), key(name)})
    if (!options_.force && fs::exists(file))
      throw failure("file_exists", file + ": exists already: --force replaces it");
}

void certificate_folder::write(const std::string& name, const security::key_pair& pair) const {
  write_file(key(name), pair.key, 0600);
  write_file(certificate(name), pair.certificate, 0644);
}

}  // namespace troupe::app
