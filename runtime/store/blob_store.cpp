#include "runtime/store/blob_store.hpp"

#include "runtime/store/throwing_connection.hpp"

namespace troupe::store {

namespace {

constexpr std::size_t part_bytes = 1 << 20;
// Two that put the same one wait for each other.
constexpr std::chrono::milliseconds statement_limit{60'000};

connection_options connection_of(const std::string& dsn) {
  connection_options c;
  c.dsn = dsn;
  c.application_name = "troupe:blobs";
  c.statement_timeout = statement_limit;
  c.idle_in_transaction_timeout = std::chrono::seconds(10);
  c.tcp_user_timeout = std::chrono::seconds(10);
  return c;
}

}  // namespace

struct blob_store::connection : throwing_connection {
  using throwing_connection::throwing_connection;
};

blob_store::blob_store(const std::string& dsn)
    : connection_(std::make_unique<connection>(connection_of(dsn))) {}

blob_store::~blob_store() = default;

bool blob_store::has(const std::string& id) {
  bool found = false;
  connection_->run([&](pqxx::work& tx) {
    found = !tx.exec_params("select 1 from blob where id = $1", id).empty();
  });
  return found;
}

void blob_store::put(const std::string& id, std::string_view bytes) {
  connection_->run([&](pqxx::work& tx) {
    const auto made = tx.exec_params(
        "insert into blob(id, bytes) values ($1, $2) on conflict do nothing", id, bytes.size());
    if (made.affected_rows() == 0) return;
    for (std::size_t at = 0; at < bytes.size(); at += part_bytes) {
      const auto part = bytes.substr(at, part_bytes);
      tx.exec_params("insert into blob_part values ($1, $2, $3)", id, at / part_bytes,
                     pqxx::binarystring(part.data(), part.size()));
    }
  });
}

std::optional<std::string> blob_store::get(const std::string& id) {
  std::optional<std::string> all;
  connection_->run([&](pqxx::work& tx) {
    all.reset();
    const auto found = tx.exec_params("select bytes from blob where id = $1", id);
    if (found.empty()) return;
    const auto size = found[0][0].as<std::size_t>();
    all.emplace();
    for (std::size_t number = 0; all->size() < size; ++number) {
      const auto part =
          tx.exec_params("select bytes from blob_part where id = $1 and number = $2", id, number);
      if (part.empty()) return;  // Somebody has removed it by hand: the hash will tell.
      *all += pqxx::binarystring(part[0][0]).str();
    }
  });
  return all;
}

}  // namespace troupe::store
