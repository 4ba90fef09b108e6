#include "app/certificate_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace troupe::app {

namespace {

namespace fs = std::filesystem;

std::chrono::seconds days(int n) {
  return std::chrono::hours(24) * n;
}

[[noreturn]] void fail(const std::string& path) {
  throw std::runtime_error(path + ": " + std::strerror(errno));
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

std::string read_text_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void certificate_folder::make_authority(const std::string& cluster) const {
  if (!security::is_name(cluster))
    throw std::runtime_error("'" + cluster + "': a cluster's name is 1 to 32 of a-z 0-9 -");
  std::error_code ignored;
  fs::create_directories(options_.folder, ignored);
  refuse_existing("ca");
  write("ca", security::make_authority(cluster, days(options_.days)));
}

void certificate_folder::issue(security::role as, const std::string& name,
                               const std::vector<std::string>& hosts) const {
  if (!security::is_name(name))
    throw std::runtime_error("'" + name +
                             "': names of nodes and operators are 1 to 32 of a-z 0-9 -");
  if (name == "ca") throw std::runtime_error("'ca' is the name of the authority's files");
  refuse_existing(name);
  const auto authority = read_authority();
  const auto cluster = security::authority_of(authority.certificate);
  if (cluster.empty())
    throw std::runtime_error(this->authority() + " is no authority of a cluster");
  write(name, security::issue(authority, {{cluster, as, name}, days(options_.days), hosts}));
}

security::key_pair certificate_folder::read_authority() const {
  if (!has("ca"))
    throw std::runtime_error(authority() + " does not exist: troupe certs init --dir " +
                             options_.folder + " --cluster NAME makes it");
  return {read_text_file(authority()), read_text_file(key("ca"))};
}

void certificate_folder::refuse_existing(const std::string& name) const {
  for (const auto& file : {certificate(name), key(name)})
    if (!options_.force && fs::exists(file))
      throw std::runtime_error(file + " exists already: --force replaces it");
}

void certificate_folder::write(const std::string& name, const security::key_pair& pair) const {
  write_file(key(name), pair.key, 0600);
  write_file(certificate(name), pair.certificate, 0644);
}

}  // namespace troupe::app
