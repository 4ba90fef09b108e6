#include "tests/runtime/entity/tally.hpp"

#include <charconv>
#include <map>

namespace troupe::test {

namespace {

constexpr std::int64_t bomb = -1;
const table_def fifths_table{
    "fifths", {column_type::integer}, "insert into fifths(n) select c1 from {rows}"};

struct numbers final : event_batch {
  std::vector<std::pair<position, std::int64_t>> events;
  std::size_t size() const override { return events.size(); }
  position at(std::size_t i) const override { return events[i].first; }
};

class numbers_decoder final : public decoder {
 public:
  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    std::map<std::string, std::shared_ptr<numbers>> batches;
    for (const auto& record : records) {
      std::int64_t n = 0;
      const auto text = record.payload;
      if (text == "bomb")
        n = bomb;
      else if (std::from_chars(text.data(), text.data() + text.size(), n).ptr !=
               text.data() + text.size()) {
        sink.refuse(record, "not_a_number", text);
        continue;
      }
      auto& batch = batches[std::string(record.key)];
      if (!batch) batch = std::make_shared<numbers>();
      batch->events.emplace_back(position(record.offset), n);
    }
    for (auto& [key, batch] : batches) sink.deliver(key, batch);
  }
};

class tally final : public entity {
 public:
  void load(std::string_view state, int) override {
    const auto json = nlohmann::json::parse(state);
    sum_ = json.at("sum");
    count_ = json.at("count");
  }
  std::string save() const override {
    return nlohmann::json{{"sum", sum_}, {"count", count_}}.dump();
  }
  void absorb(const event_batch& batch, std::size_t& done, effects& out) override {
    for (const auto& events = static_cast<const numbers&>(batch).events; done < events.size();
         ++done) {
      const auto n = events[done].second;
      if (n == bomb) throw std::runtime_error("bomb");
      sum_ += n;
      ++count_;
      if (n % 5 != 0) continue;
      out.rows(fifths_table).row().add(n);
      out.publish("fifths", "k", std::to_string(n));
    }
  }

 private:
  std::int64_t sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace

std::int64_t number_at(const event_batch& batch, std::size_t i) {
  return static_cast<const numbers&>(batch).events[i].second;
}

kind_def tally_kind() {
  return {"tally", 1, true, [](const entity_id&) { return std::make_unique<tally>(); }};
}

ingress_def numbers_topic() {
  return {"numbers", "tally", [] { return std::make_unique<numbers_decoder>(); }};
}

}  // namespace troupe::test
