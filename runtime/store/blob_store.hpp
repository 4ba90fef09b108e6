#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/store/store_error.hpp"

namespace troupe::store {

/// Large things that never change, kept in the database under ids made from their content, so that
/// every machine of the cluster finds them. Blocking; for one thread. Every call throws
/// `unavailable_error` when the database is out of reach and `refused` when it has no such tables.
class blob_store {
 public:
  explicit blob_store(const std::string& dsn);
  ~blob_store();

  bool has(const std::string& id);
  /// All of it or nothing; an id that is there stays as it is.
  void put(const std::string& id, std::string_view bytes);
  std::optional<std::string> get(const std::string& id);

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace troupe::store
