#include "tests/support/market_listener.hpp"

#include <map>

#include "actors/model/market_event.hpp"

namespace troupe::test {

namespace {

using nlohmann::json;

struct heard {
  std::int64_t next = 0, events = 0, trades = 0, sum = 0, missing = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(heard, next, events, trades, sum, missing)
};

class listener final : public entity {
 public:
  void load(std::string_view state, int) override { heard_ = json::parse(state); }
  std::string save() const override { return json(heard_).dump(); }

  void handle(const message& what, const context& where, effects& out) override {
    if (what.type != "listen") return entity::handle(what, where, out);
    for (const auto& symbol : what.body.at("symbols")) heard_.try_emplace(symbol);
    out.reply({{"symbols", heard_.size()}});
  }

  std::vector<followed> follows() const override {
    std::vector<followed> all;
    for (const auto& [symbol, h] : heard_) all.push_back({{"symbol", symbol}, position(h.next)});
    return all;
  }

  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override {
    auto& h = heard_.at(what.of.key);
    h.missing += what.missing;
    for (; done < what.end; ++done)
      hear(static_cast<const market::market_batch&>(*what.events).events()[done], what.of.key, h,
           where, out);
    h.next = what.next.value();
  }

 private:
  static void hear(const market::market_event& e, const std::string& symbol, heard& h,
                   const context& where, effects& out) {
    if (e.offset < h.next) throw std::runtime_error("an event came again");
    h.next = e.offset + 1;
    ++h.events;
    if (e.kind != market::event_kind::trade) return;
    ++h.trades;
    h.sum += e.size.raw();
    if (h.trades % 100 != 0) return;
    const json record{{"symbol", symbol}, {"trades", h.trades}, {"sum", h.sum}};
    out.publish(listened_topic, where.self.key, record.dump());
  }

  std::map<std::string, heard> heard_;
};

}  // namespace

kind_def listener_kind() {
  return {"listener", 1, false, [](const entity_id&) { return std::make_unique<listener>(); },
          true};
}

}  // namespace troupe::test
