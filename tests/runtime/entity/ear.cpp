#include "tests/runtime/entity/ear.hpp"

#include <map>

#include "runtime/base/ensure.hpp"
#include "tests/runtime/entity/tally.hpp"

namespace troupe::test {

namespace {

using nlohmann::json;

struct heard {
  std::int64_t next = 0, count = 0, sum = 0, last = -1, missing = 0;
  bool in_order = true;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(heard, next, count, sum, last, missing, in_order)
};

class ear final : public entity {
 public:
  void load(std::string_view state, int) override {
    const auto from = json::parse(state);
    heard_ = from.at("heard");
    holds_at_ = from.at("holds_at");
    bomb_at_ = from.at("bomb_at");
    waits_ = from.at("waits");
    bank_ = from.at("bank");
  }
  std::string save() const override {
    return json{{"heard", heard_},
                {"holds_at", holds_at_},
                {"bomb_at", bomb_at_},
                {"waits", waits_},
                {"bank", bank_}}
        .dump();
  }

  void handle(const message& what, const context&, effects& out) override {
    const auto& b = what.body;
    if (what.type == "follow") heard_[b.at("tally")].next = b.at("from");
    if (what.type == "unfollow") heard_.erase(b.at("tally").get<std::string>());
    if (what.type == "hold_at") {
      holds_at_ = b.at("multiple_of");
      bank_ = b.at("bank");
    }
    if (what.type == "bomb_at") bomb_at_ = b.at("number");
    if (what.type == "look") out.unchanged();
    if (what.type == "confirmed") waits_ = false;
    out.reply({{"waits", waits_}});
  }

  std::vector<followed> follows() const override {
    std::vector<followed> all;
    for (const auto& [tally, h] : heard_) all.push_back({{"tally", tally}, position(h.next)});
    return all;
  }

  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override {
    auto& h = heard_.at(what.of.key);
    h.missing += what.missing;
    for (; done < what.end && !waits_; ++done) hear(what, done, h, where, out);
    if (done == what.end) h.next = what.next.value();
  }

 private:
  void hear(const feed_span& what, std::size_t i, heard& h, const context& where, effects& out) {
    const auto at = what.events->at(i).value();
    const auto n = number_at(*what.events, i);
    if (n == bomb_at_) throw std::runtime_error("bomb");
    h.in_order = h.in_order && at > h.last;
    h.last = at;
    h.next = at + 1;
    ++h.count;
    h.sum += n;
    if (h.count % 10 == 0) out.publish("heard", where.self.key, std::to_string(h.count));
    if (holds_at_ == 0 || n % holds_at_ != 0) return;
    waits_ = true;
    out.tell({"bank", bank_}, {"confirm", {{"to", to_string(where.self)}}});
  }

  std::map<std::string, heard> heard_;
  std::int64_t holds_at_ = 0, bomb_at_ = -2;
  std::string bank_;
  bool waits_ = false;
};

/// Confirms what it is asked, to whoever asks.
class bank final : public entity {
 public:
  void load(std::string_view state, int) override { confirmed_ = json::parse(state); }
  std::string save() const override { return json(confirmed_).dump(); }
  void handle(const message& what, const context&, effects& out) override {
    ++confirmed_;
    out.tell(parse_entity_id(what.body.at("to").get<std::string>()), {"confirmed", {}});
  }

 private:
  std::int64_t confirmed_ = 0;
};

}  // namespace

kind_def ear_kind() {
  return {"ear", 1, false, [](const entity_id&) { return std::make_unique<ear>(); }, true};
}

kind_def bank_kind() {
  return {"bank", 1, false, [](const entity_id&) { return std::make_unique<bank>(); }};
}

}  // namespace troupe::test
