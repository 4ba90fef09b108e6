#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/security/identity.hpp"

struct ssl_ctx_st;

namespace troupe::security {

/// Where a process' proof of identity lies: PEM files.
struct credential_files {
  std::string ca;           // Whom to trust: one certificate or several.
  std::string certificate;  // Our own; certificates between it and the CA may follow.
  std::string key;
};

/// What is wrong with which of the files, and the remedy.
struct credential_problem {
  std::string credential_files::*file;
  std::string text;
};

/// Everything that would keep `files` from proving `expected`: missing, unreadable, expired, of
/// another authority, cluster or holder, a key that does not fit, a key that others may read. An
/// empty name in `expected` stands for any.
std::vector<credential_problem> problems_of(const credential_files& files,
                                            const identity& expected);

/// Whom the certificate in a file names; nothing when it cannot be read or names nobody.
std::optional<identity> holder_of(const std::string& certificate_file);

/// The text names the file and the remedy.
struct credentials_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What TLS is made from. Files that have changed since are read anew for the next connection; as
/// long as they do not fit together the old ones stay in use. Thread-safe.
class credentials {
 public:
  /// Throws credentials_error.
  credentials(credential_files files, identity expected);

  /// For one more connection, of either end: TLS 1.3, the peer must show a certificate of the CA.
  std::shared_ptr<ssl_ctx_st> context();
  const credential_files& files() const { return files_; }
  /// When our certificate ends, in whole days from now; negative: it has ended.
  int days_left();

 private:
  using stamps = std::vector<std::filesystem::file_time_type>;
  stamps stamps_now() const;
  void load();

  const credential_files files_;
  const identity expected_;
  std::mutex mutex_;
  stamps loaded_;
  stamps refused_;  // Said once; tried again at each link.
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace troupe::security
