#include "runtime/bridge/topic_admin.hpp"

#include <array>
#include <span>

#include "runtime/base/clock.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge/kafka_client.hpp"

namespace troupe::bridge {

namespace {

using new_topic_ptr =
    std::unique_ptr<rd_kafka_NewTopic_t, rdk::destroyer<rd_kafka_NewTopic_destroy>>;
using delete_topic_ptr =
    std::unique_ptr<rd_kafka_DeleteTopic_t, rdk::destroyer<rd_kafka_DeleteTopic_destroy>>;
using admin_options_ptr =
    std::unique_ptr<rd_kafka_AdminOptions_t, rdk::destroyer<rd_kafka_AdminOptions_destroy>>;

constexpr int metadata_ms_max = 2'000;
constexpr int look_again_ms = 20;

class deadline {
 public:
  explicit deadline(std::chrono::milliseconds wait)
      : at_(std::chrono::steady_clock::now() + wait) {}
  bool passed() const { return left() == 0; }
  int left(int most = 1'000'000) const {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
        at_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(rest.count(), 0, most));
  }

 private:
  steady_time at_;
};

/// Topics that Kafka knows: how many partitions, and whether each has a leader.
struct known_topic {
  std::uint32_t partitions = 0;
  bool led = true;
};
using known_topics = std::map<std::string, known_topic, std::less<>>;

known_topic describe(const rd_kafka_metadata_topic_t& topic) {
  known_topic k;
  k.partitions = static_cast<std::uint32_t>(topic.partition_cnt);
  for (int i = 0; i < topic.partition_cnt; ++i) k.led = k.led && topic.partitions[i].leader >= 0;
  return k;
}

}  // namespace

class topic_admin::connection {
 public:
  explicit connection(const kafka_options& options)
      : options_(options), client_(RD_KAFKA_PRODUCER, "admin", options, {}, {}) {}

  topic_report ensure(const std::vector<topic_spec>& topics, timeout wait);
  std::vector<std::string> remove(const std::vector<std::string>& topics, timeout wait);
  std::optional<known_topics> list(int timeout_ms);
  std::optional<std::vector<std::int64_t>> offsets(const std::string& topic,
                                                   std::uint32_t partitions, std::int64_t which,
                                                   timeout wait);
  const kafka_options& options() const { return options_; }

 private:
  void create(const std::vector<const topic_spec*>& missing, topic_report& report,
              std::map<std::string, std::string>& refused, int timeout_ms);
  /// What Kafka refuses, by name.
  std::map<std::string, std::string> ask_to_delete(const std::vector<std::string>& names,
                                                   int timeout_ms);
  template <class Send>
  rdk::event_ptr ask_brokers(rd_kafka_admin_op_t what, int timeout_ms, Send send);
  std::string no_answer(timeout wait) const;
  void check(const std::vector<topic_spec>& topics, const known_topics& known,
             const std::map<std::string, std::string>& refused, topic_report& report) const;

  const kafka_options options_;
  rdk::client client_;
  std::string why_not_;
};

/// Asks for all topics: asking for one by name would make some brokers create it.
std::optional<known_topics> topic_admin::connection::list(int timeout_ms) {
  rd_kafka_poll(client_.get(), 0);
  const rd_kafka_metadata_t* found = nullptr;
  const auto failed = rd_kafka_metadata(client_.get(), 1, nullptr, &found, timeout_ms);
  const rdk::metadata_ptr metadata(found);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    why_not_ = rd_kafka_err2str(failed);
    return std::nullopt;
  }
  client_.alive();
  known_topics known;
  for (const auto& topic :
       std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt)))
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) known[topic.topic] = describe(topic);
  return known;
}

/// The answer of the brokers to an administrative request; nothing if they did not answer, or
/// refused all of it.
template <class Send>
rdk::event_ptr topic_admin::connection::ask_brokers(rd_kafka_admin_op_t what, int timeout_ms,
                                                    Send send) {
  std::array<char, 512> reason{};
  const rdk::queue_ptr queue(rd_kafka_queue_new(client_.get()));
  const admin_options_ptr how(rd_kafka_AdminOptions_new(client_.get(), what));
  const int wait_ms = std::max(1, std::min(timeout_ms, 30'000));
  rd_kafka_AdminOptions_set_request_timeout(how.get(), wait_ms, reason.data(), reason.size());
  send(how.get(), queue.get());
  rdk::event_ptr event(rd_kafka_queue_poll(queue.get(), wait_ms + 1'000));
  if (event && rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    why_not_ = rd_kafka_event_error_string(event.get());
    event.reset();
  }
  return event;
}

topic_report topic_admin::connection::ensure(const std::vector<topic_spec>& topics, timeout wait) {
  const deadline until(wait);
  topic_report report;
  std::map<std::string, std::string> refused;
  do {
    const auto known = list(until.left(metadata_ms_max));
    if (!known) continue;
    std::vector<const topic_spec*> missing;
    bool all_led = true;
    for (const auto& topic : topics) {
      const auto name = options_.kafka_name(topic.name);
      if (refused.contains(name)) continue;
      const auto it = known->find(name);
      if (it == known->end())
        missing.push_back(&topic);
      else
        all_led = all_led && it->second.led;
    }
    if (missing.empty() && all_led) {
      check(topics, *known, refused, report);
      return report;
    }
    if (!missing.empty()) create(missing, report, refused, until.left());
    rd_kafka_poll(client_.get(), look_again_ms);
  } while (!until.passed());
  report.problems.push_back(no_answer(wait));
  return report;
}

std::string topic_admin::connection::no_answer(timeout wait) const {
  return "Kafka at " + options_.brokers + " did not answer in " + std::to_string(wait.count()) +
         " ms" + (why_not_.empty() ? "" : ": " + why_not_);
}

std::vector<std::string> topic_admin::connection::remove(const std::vector<std::string>& topics,
                                                         timeout wait) {
  const deadline until(wait);
  std::map<std::string, std::string> refused;
  std::vector<std::string> problems;
  do {
    const auto known = list(until.left(metadata_ms_max));
    if (!known) continue;
    std::vector<std::string> left;
    for (const auto& topic : topics)
      if (const auto name = options_.kafka_name(topic); known->contains(name)) left.push_back(name);
    std::erase_if(left, [&](const auto& name) { return refused.contains(name); });
    if (left.empty()) {
      for (const auto& [name, why] : refused)
        problems.push_back(name + ": cannot be deleted: " + why);
      return problems;
    }
    refused.merge(ask_to_delete(left, until.left()));
    rd_kafka_poll(client_.get(), look_again_ms);
  } while (!until.passed());
  return {no_answer(wait)};
}

std::map<std::string, std::string> topic_admin::connection::ask_to_delete(
    const std::vector<std::string>& names, int timeout_ms) {
  std::vector<delete_topic_ptr> owned;
  std::vector<rd_kafka_DeleteTopic_t*> wanted;
  for (const auto& name : names) {
    owned.emplace_back(rd_kafka_DeleteTopic_new(name.c_str()));
    wanted.push_back(owned.back().get());
  }
  const auto event =
      ask_brokers(RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout_ms, [&](auto* how, auto* queue) {
        rd_kafka_DeleteTopics(client_.get(), wanted.data(), wanted.size(), how, queue);
      });
  std::map<std::string, std::string> refused;
  const auto* result = event ? rd_kafka_event_DeleteTopics_result(event.get()) : nullptr;
  if (result == nullptr) return refused;
  std::size_t count = 0;
  const auto* const* answers = rd_kafka_DeleteTopics_result_topics(result, &count);
  for (const auto* answer : std::span(answers, count)) {
    const auto error = rd_kafka_topic_result_error(answer);
    // Nobody knows whether a request that timed out was carried out: the next look tells.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        error == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
      continue;
    refused[rd_kafka_topic_result_name(answer)] = rd_kafka_err2str(error);
  }
  return refused;
}

void topic_admin::connection::create(const std::vector<const topic_spec*>& missing,
                                     topic_report& report,
                                     std::map<std::string, std::string>& refused, int timeout_ms) {
  std::array<char, 512> reason{};
  std::vector<new_topic_ptr> owned;
  std::vector<rd_kafka_NewTopic_t*> wanted;
  for (const auto* spec : missing) {
    const auto name = options_.kafka_name(spec->name);
    new_topic_ptr topic(rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(spec->partitions),
                                              spec->replication, reason.data(), reason.size()));
    if (!topic) {
      refused[name] = reason.data();
      continue;
    }
    for (const auto& [key, value] : spec->config)
      rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
    wanted.push_back(topic.get());
    owned.push_back(std::move(topic));
  }
  if (wanted.empty()) return;
  const auto event =
      ask_brokers(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms, [&](auto* how, auto* queue) {
        rd_kafka_CreateTopics(client_.get(), wanted.data(), wanted.size(), how, queue);
      });
  const auto* result = event ? rd_kafka_event_CreateTopics_result(event.get()) : nullptr;
  if (result == nullptr) return;
  std::size_t count = 0;
  const auto* const* answers = rd_kafka_CreateTopics_result_topics(result, &count);
  for (const auto* answer : std::span(answers, count)) {
    const std::string name = rd_kafka_topic_result_name(answer);
    const auto error = rd_kafka_topic_result_error(answer);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      report.created.push_back(name);
      log::info("bridge", "topic_created", {{"topic", name}});
    } else if (error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      const auto* text = rd_kafka_topic_result_error_string(answer);
      refused[name] = text != nullptr ? text : rd_kafka_err2str(error);
    }
  }
}

void topic_admin::connection::check(const std::vector<topic_spec>& topics,
                                    const known_topics& known,
                                    const std::map<std::string, std::string>& refused,
                                    topic_report& report) const {
  for (const auto& topic : topics) {
    const auto name = options_.kafka_name(topic.name);
    if (const auto no = refused.find(name); no != refused.end()) {
      report.problems.push_back(name + ": cannot be made: " + no->second);
      continue;
    }
    const auto found = known.at(name).partitions;
    if (found != topic.partitions)
      report.problems.push_back(name + ": has " + std::to_string(found) + " partitions, " +
                                std::to_string(topic.partitions) + " are needed");
  }
}

/// `which`: RD_KAFKA_OFFSET_BEGINNING or RD_KAFKA_OFFSET_END. Kafka takes them where a time is
/// looked up.
std::optional<std::vector<std::int64_t>> topic_admin::connection::offsets(const std::string& topic,
                                                                          std::uint32_t partitions,
                                                                          std::int64_t which,
                                                                          timeout wait) {
  const auto name = options_.kafka_name(topic);
  const rdk::partitions_ptr list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions)));
  for (std::uint32_t i = 0; i < partitions; ++i)
    rd_kafka_topic_partition_list_add(list.get(), name.c_str(), static_cast<std::int32_t>(i))
        ->offset = which;
  rd_kafka_poll(client_.get(), 0);
  if (rd_kafka_offsets_for_times(client_.get(), list.get(), static_cast<int>(wait.count())) !=
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::nullopt;
  std::vector<std::int64_t> found(partitions, -1);
  for (const auto& p : std::span(list->elems, static_cast<std::size_t>(list->cnt))) {
    if (p.err != RD_KAFKA_RESP_ERR_NO_ERROR || p.offset < 0) return std::nullopt;
    found[static_cast<std::size_t>(p.partition)] = p.offset;
  }
  client_.alive();
  return found;
}

topic_admin::topic_admin(const kafka_options& options)
    : connection_(std::make_unique<connection>(options)) {}
topic_admin::~topic_admin() = default;

topic_report topic_admin::ensure_topics(const std::vector<topic_spec>& topics, timeout wait) {
  return connection_->ensure(topics, wait);
}

std::vector<std::string> topic_admin::remove_topics(const std::vector<std::string>& topics,
                                                    timeout wait) {
  return connection_->remove(topics, wait);
}

std::optional<std::map<std::string, std::uint32_t>> topic_admin::partitions(
    const std::vector<std::string>& topics, timeout wait) {
  const auto known = connection_->list(static_cast<int>(wait.count()));
  if (!known) return std::nullopt;
  std::map<std::string, std::uint32_t> counts;
  for (const auto& topic : topics) {
    const auto it = known->find(connection_->options().kafka_name(topic));
    if (it != known->end()) counts[topic] = it->second.partitions;
  }
  return counts;
}

std::vector<log_range> topic_admin::ranges(const std::string& topic, std::uint32_t partitions,
                                           timeout wait) {
  const auto begins = connection_->offsets(topic, partitions, RD_KAFKA_OFFSET_BEGINNING, wait);
  const auto ends =
      begins ? connection_->offsets(topic, partitions, RD_KAFKA_OFFSET_END, wait) : std::nullopt;
  std::vector<log_range> found;
  for (std::uint32_t i = 0; ends && i < partitions; ++i)
    found.push_back({position((*begins)[i]), position((*ends)[i])});
  return found;
}

std::optional<log_range> topic_admin::range(const std::string& topic, std::uint32_t partition,
                                            timeout wait) {
  const auto all = ranges(topic, partition + 1, wait);
  if (all.empty()) return std::nullopt;
  return all.back();
}

}  // namespace troupe::bridge
