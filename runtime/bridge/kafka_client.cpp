#include "runtime/bridge/kafka_client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <set>
#include <thread>

#include "runtime/base/log.hpp"
#include "runtime/options/nearest.hpp"

namespace troupe::bridge::rdk {

namespace {

/// librdkafka's words without the value: it may be a secret. What only holds it as a part of a
/// longer word or number, like a bound, stays readable.
std::string without(std::string text, const std::string& value) {
  constexpr std::string_view stars = "***";
  const auto in_word = [&](std::size_t at) {
    return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
  };
  for (auto at = text.find(value); !value.empty() && at != std::string::npos;) {
    const auto end = at + value.size();
    const bool part =
        (at > 0 && in_word(at - 1) && in_word(at)) || (in_word(end - 1) && in_word(end));
    if (!part) text.replace(at, value.size(), stars);
    at = text.find(value, at + (part ? 1 : stars.size()));
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
      RD_KAFKA_CONF_OK)
    throw bad_kafka_setting(name + ": " + without(reason.data(), value));
}

/// Those in the table that librdkafka prints: `NAME | P/C/* | range | ...`, a line each.
std::set<std::string> setting_names() {
  char* text = nullptr;
  std::size_t length = 0;
  auto* const memory = open_memstream(&text, &length);
  if (memory == nullptr) return {};
  rd_kafka_conf_properties_show(memory);
  std::fclose(memory);
  std::set<std::string> names;
  for (std::string_view rest(text, length); !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto name = line.substr(0, line.find(' '));
    if (line.find('|') != line.npos && name.find_first_of("|-") == name.npos) names.emplace(name);
  }
  std::free(text);
  names.erase("Property");
  return names;
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

/// librdkafka 2.0 waits for ever once a partition was let go whose topic had been deleted. Its
/// threads then stay behind, and do nothing any more; whoever ends a client goes on. Nothing is
/// called back meanwhile: this object may be gone.
client::~client() {
  constexpr auto patience = std::chrono::seconds(3);
  auto task = std::packaged_task<void()>(
      [handle = handle_] { rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); });
  const auto destroyed = task.get_future();
  std::thread(std::move(task)).detach();
  if (destroyed.wait_for(patience) != std::future_status::ready)
    log::warn("bridge", "client_left_behind", {{"client", role_}, {"brokers", brokers_}});
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

std::string refusal_of_setting(const std::string& name, const std::string& value) {
  const rdk::conf_ptr conf(rd_kafka_conf_new());
  std::array<char, 512> reason{};
  switch (
      rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size())) {
    case RD_KAFKA_CONF_OK:
      return {};
    case RD_KAFKA_CONF_UNKNOWN: {
      const auto meant = nearest(name, rdk::setting_names());
      return "librdkafka knows no such setting" +
             (meant.empty() ? "" : "; did you mean " + meant + '?');
    }
    default:
      return "librdkafka does not take it: " + rdk::without(reason.data(), value);
  }
}

}  // namespace troupe::bridge
