#include "runtime/bridge/kafka_client.hpp"

#include <array>

#include "runtime/base/log.hpp"

namespace troupe::bridge::rdk {

namespace {

/// librdkafka's words without the value: it may be a secret.
std::string without(std::string text, const std::string& value) {
  for (auto at = text.find(value); !value.empty() && at != std::string::npos;
       at = text.find(value, at + 3))
    text.replace(at, value.size(), "***");
  return text;
}

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
      RD_KAFKA_CONF_OK)
    throw bad_kafka_setting(name + ": " + without(reason.data(), value));
}

bool means_unreachable(int code) {
  return code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
         code == RD_KAFKA_RESP_ERR__RESOLVE;
}

}  // namespace

client::client(rd_kafka_type_t type, std::string role, const kafka_options& options,
               const settings& defaults, const settings& fixed, delivery_report delivered)
    : role_(std::move(role)), brokers_(options.brokers), delivered_(std::move(delivered)) {
  conf_ptr conf(rd_kafka_conf_new());
  // A broker that restarts is found again at once.
  const settings everywhere{{"reconnect.backoff.ms", "50"},
                            {"reconnect.backoff.max.ms", "250"},
                            {"log.connection.close", "false"},
                            {"client.id", options.client_id}};
  for (const auto& [name, value] : everywhere) set(conf.get(), name, value);
  for (const auto& [name, value] : defaults) set(conf.get(), name, value);
  for (const auto& [name, value] : options.settings) set(conf.get(), name, value);
  for (const auto& [name, value] : fixed) set(conf.get(), name, value);
  set(conf.get(), "bootstrap.servers", options.brokers);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), error_callback);
  rd_kafka_conf_set_log_cb(conf.get(), log_callback);
  if (delivered_) rd_kafka_conf_set_dr_msg_cb(conf.get(), delivery_callback);
  std::array<char, 512> reason{};
  handle_ = rd_kafka_new(type, conf.get(), reason.data(), reason.size());
  if (handle_ == nullptr) throw bad_kafka_setting("Kafka client: " + std::string(reason.data()));
  conf.release();
}

client::~client() {
  rd_kafka_destroy(handle_);
}

std::string client::fatal() const {
  std::array<char, 512> reason{};
  return rd_kafka_fatal_error(handle_, reason.data(), reason.size()) == RD_KAFKA_RESP_ERR_NO_ERROR
             ? ""
             : reason.data();
}

std::optional<steady_time> client::away_since() const {
  return down_ ? std::optional(down_since_.load()) : std::nullopt;
}

void client::look_for_brokers() {
  constexpr auto every = std::chrono::seconds(1);
  constexpr int patience_ms = 200;
  const auto now = std::chrono::steady_clock::now();
  if (!down_ || now - looked_ < every) return;
  looked_ = now;
  const rd_kafka_metadata_t* answer = nullptr;
  const auto error = rd_kafka_metadata(handle_, 0, nullptr, &answer, patience_ms);
  const metadata_ptr owned(answer);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) alive();
}

void client::came_back() {
  if (down_.exchange(false))
    log::info("bridge", "brokers_reachable", {{"client", role_}, {"brokers", brokers_}});
}

void client::on_error(int code, std::string_view reason) {
  if (!means_unreachable(code))
    return log::warn("bridge", "client_error",
                     {{"client", role_},
                      {"error", name_of(static_cast<rd_kafka_resp_err_t>(code))},
                      {"reason", reason}});
  if (down_) return;
  down_since_ = std::chrono::steady_clock::now();
  if (!down_.exchange(true))
    log::warn("bridge", "brokers_unreachable",
              {{"client", role_}, {"brokers", brokers_}, {"reason", reason}});
}

void client::error_callback(rd_kafka_t*, int code, const char* reason, void* self) {
  static_cast<client*>(self)->on_error(code, reason);
}

/// What errors say is in `on_error` already; the client's own chatter is for those who look for it.
void client::log_callback(const rd_kafka_t* handle, int, const char* facility, const char* text) {
  log::debug("bridge", "client_log",
             {{"client", rd_kafka_name(handle)}, {"facility", facility}, {"text", text}});
}

void client::delivery_callback(rd_kafka_t*, const rd_kafka_message_t* m, void* self) {
  static_cast<client*>(self)->delivered_(*m);
}

partitions_ptr one_partition(const std::string& topic, std::uint32_t partition,
                             std::int64_t offset) {
  partitions_ptr list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(partition))
      ->offset = offset;
  return list;
}

std::string_view name_of(rd_kafka_resp_err_t code) {
  return rd_kafka_err2name(code);
}

std::string_view header_of(const rd_kafka_message_t& m, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  return {static_cast<const char*>(value), size};
}

}  // namespace troupe::bridge::rdk

namespace troupe::bridge {

std::vector<std::string> violations(const kafka_options& options) {
  std::vector<std::string> found;
  rdk::conf_ptr conf(rd_kafka_conf_new());
  for (const auto& [name, value] : options.settings) {
    std::array<char, 512> reason{};
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size()) !=
        RD_KAFKA_CONF_OK)
      found.push_back(name + ": \"" + value + "\" is refused: " + reason.data());
  }
  return found;
}

}  // namespace troupe::bridge
