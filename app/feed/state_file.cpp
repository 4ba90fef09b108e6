#include "app/feed/state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/failure.hpp"

namespace troupe::feed {

namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw app::unwritable_file(path + ": cannot " + what + ": " + std::strerror(errno));
}

void write_durably(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "create");
  while (!text.empty()) {
    const auto n = ::write(file, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  const bool fine = text.empty() && ::fsync(file) == 0;
  const int reason = errno;
  ::close(file);
  errno = reason;
  if (!fine) fail(path, "write");
}

void sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail(path, "open");
  const bool fine = ::fsync(folder) == 0;
  ::close(folder);
  if (!fine) fail(path, "write");
}

}  // namespace

state_file::state_file(const std::string& folder, const std::string& name)
    : folder_(folder.empty() ? "." : folder), path_(folder_ + '/' + name) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    throw app::unwritable_file("--state " + folder_ +
                               ": cannot be made a folder: " + error.message());
  const auto lock = path_ + ".lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) fail(lock, "create");
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(lock_);
  throw app::failure("busy", lock +
                                 ": another process is at this; wait for its end, or give each "
                                 "a --state folder of its own");
}

state_file::~state_file() {
  ::close(lock_);
}

std::optional<nlohmann::json> state_file::load() const {
  if (!std::filesystem::exists(path_)) return std::nullopt;
  auto state = nlohmann::json::parse(app::read_text_file(path_), nullptr, false);
  if (!state.is_object()) throw app::unusable_file(path_ + ": is damaged; delete it to begin anew");
  return state;
}

void state_file::save(const nlohmann::json& state) const {
  const auto fresh = path_ + ".new";
  // Names of files need not be UTF-8.
  write_durably(fresh, state.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (::rename(fresh.c_str(), path_.c_str()) != 0) fail(path_, "replace");
  sync_folder(folder_);
}

folder_gate::folder_gate(const std::string& folder) {
  const auto path = (folder.empty() ? "." : folder) + "/gate.lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) fail(path, "create");
  while (::flock(lock_, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    ::close(lock_);
    fail(path, "lock");
  }
}

folder_gate::~folder_gate() {
  ::close(lock_);
}

}  // namespace troupe::feed
