#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/bridge/kafka_options.hpp"
#include "runtime/entity/ingress.hpp"

/// What the bridge needs of librdkafka's C API, owned. Only for the sources of the bridge.
namespace troupe::bridge::rdk {

template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* p) const {
    Destroy(p);
  }
};
using conf_ptr = std::unique_ptr<rd_kafka_conf_t, destroyer<rd_kafka_conf_destroy>>;
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, destroyer<rd_kafka_queue_destroy>>;
using topic_ptr = std::unique_ptr<rd_kafka_topic_t, destroyer<rd_kafka_topic_destroy>>;
/// Must be gone before its client is: a list that went through pause would block the client's end
/// for ever.
using partitions_ptr = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                       destroyer<rd_kafka_topic_partition_list_destroy>>;
using error_ptr = std::unique_ptr<rd_kafka_error_t, destroyer<rd_kafka_error_destroy>>;
using event_ptr = std::unique_ptr<rd_kafka_event_t, destroyer<rd_kafka_event_destroy>>;
using metadata_ptr =
    std::unique_ptr<const rd_kafka_metadata_t, destroyer<rd_kafka_metadata_destroy>>;

using settings = std::vector<std::pair<std::string, std::string>>;

/// One librdkafka instance with its callbacks. The brokers' coming and going is logged by name,
/// once each.
class client {
 public:
  using delivery_report = std::function<void(const rd_kafka_message_t&)>;

  /// `role` names it in logs. `defaults` give way to the operator's settings, `fixed` do not.
  /// Throws bad_kafka_setting.
  client(rd_kafka_type_t type, std::string role, const kafka_options& options,
         const settings& defaults, const settings& fixed, delivery_report delivered = {});
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  rd_kafka_t* get() const { return handle_; }
  const std::string& role() const { return role_; }
  /// Something came from a broker.
  void alive() {
    if (down_.load(std::memory_order_relaxed)) [[unlikely]]
      came_back();
  }
  /// Since when no broker has been reached; nothing while one is. Any thread.
  std::optional<steady_time> away_since() const;
  /// While brokers are away asks for one, once a second, waiting up to 0.2 s: without records
  /// nothing else would tell that they are back. One thread.
  void look_for_brokers();
  /// The reason, once the instance is beyond repair; empty before.
  std::string fatal() const;

 private:
  void came_back();
  void on_error(int code, std::string_view reason);
  static void error_callback(rd_kafka_t*, int code, const char* reason, void* self);
  static void log_callback(const rd_kafka_t* handle, int level, const char* facility,
                           const char* text);
  static void delivery_callback(rd_kafka_t*, const rd_kafka_message_t* m, void* self);

  std::string role_;
  std::string brokers_;
  delivery_report delivered_;
  std::atomic<bool> down_ = false;
  std::atomic<steady_time> down_since_{};
  steady_time looked_{};
  rd_kafka_t* handle_ = nullptr;
};

/// A list of one.
partitions_ptr one_partition(const std::string& topic, std::uint32_t partition,
                             std::int64_t offset);

std::string_view name_of(rd_kafka_resp_err_t code);

inline record_view view_of(const rd_kafka_message_t& m) {
  return {{static_cast<const char*>(m.key), m.key_len},
          {static_cast<const char*>(m.payload), m.len},
          m.offset,
          rd_kafka_message_timestamp(&m, nullptr)};
}

/// Text of a record's header, empty if it has none.
std::string_view header_of(const rd_kafka_message_t& m, const char* name);

/// Messages that views point at, with the client that they came from.
struct loan {
  explicit loan(std::shared_ptr<client> owner) : from(std::move(owner)) {}
  ~loan() {
    for (auto* m : messages) rd_kafka_message_destroy(m);
  }
  loan(const loan&) = delete;
  loan& operator=(const loan&) = delete;

  std::shared_ptr<client> from;
  std::vector<rd_kafka_message_t*> messages;
};

}  // namespace troupe::bridge::rdk
