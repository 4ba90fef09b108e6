#include "bench/feeds/stopwatch.hpp"

#include <map>

#include "actors/model/market_event.hpp"

namespace troupe::bench {

namespace {

using nlohmann::json;

class stopwatch final : public entity {
 public:
  void load(std::string_view state, int) override {
    const auto from = json::parse(state);
    next_ = from.at("next");
    for (const auto& [bucket, count] : from.at("delays").items())
      delays_[std::stoll(bucket)] = count;
  }
  std::string save() const override {
    auto delays = json::object();
    for (const auto& [bucket, count] : delays_) delays[std::to_string(bucket)] = count;
    return json{{"next", next_}, {"delays", delays}}.dump();
  }
  void handle(const message& what, const context&, effects& out) override {
    for (const auto& symbol : what.body.at("symbols"))
      next_.try_emplace(symbol, feed_from_now.value());
    out.reply({{"ok", true}});
  }
  std::vector<followed> follows() const override {
    std::vector<followed> all;
    for (const auto& [symbol, next] : next_) all.push_back({{"symbol", symbol}, position(next)});
    return all;
  }
  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects&) override {
    constexpr std::int64_t bucket_us = 20;
    for (; done < what.end; ++done) {
      const auto& e = static_cast<const market::market_batch&>(*what.events).events()[done];
      ++delays_[(to_micros(where.now) - e.time) / bucket_us * bucket_us];
    }
    next_.at(what.of.key) = what.next.value();
  }

 private:
  std::map<std::string, std::int64_t> next_;
  std::map<std::int64_t, std::int64_t> delays_;
};

}  // namespace

kind_def stopwatch_kind() {
  return {"stopwatch", 1, false, [](const entity_id&) { return std::make_unique<stopwatch>(); },
          true};
}

}  // namespace troupe::bench
