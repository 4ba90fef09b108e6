#include "actors/trading/session_entity.hpp"

#include <doctest/doctest.h>

#include "actors/trading/messages.hpp"

using namespace troupe;
using namespace troupe::trading;
using nlohmann::json;

namespace {

const json every_symbol{{"default", {{"symbols", {{"*", json::object()}}}}}};
const json only_spy{{"default", {{"symbols", {{"SPY", {{"price_step", "0.01"}}}}}}}};

json a_create() {
  return {{"portfolio", "p1"},
          {"strategy", "buy_and_hold"},
          {"symbols", {"SPY"}},
          {"size", {{"by", "quantity"}, {"amount", "10"}}},
          {"from", "beginning"}};
}

/// Trades at growing offsets, as the log of a symbol has them.
std::shared_ptr<const market::market_batch> trades(std::int64_t from, std::int64_t to) {
  std::vector<market::market_event> events;
  for (auto offset = from; offset < to; ++offset) {
    market::market_event e;
    e.offset = offset;
    e.time = 1'700'000'000'000'000 + offset * 1'000'000;
    e.price = fixed::from_raw((100 + offset) * fixed::scale);
    e.size = fixed::from_raw(fixed::scale);
    events.push_back(e);
  }
  return std::make_shared<market::market_batch>(events, std::span<const market::ohlcv>());
}

/// A session entity and what it said last. It is saved and loaded between any two inputs.
class desk {
 public:
  /// `venue`: of its portfolio, which tells as soon as the session is there; nothing: not yet.
  explicit desk(json limits = every_symbol, std::optional<venue_choice> venue = venue_choice::paper)
      : venue_(venue) {
    trading_options options;
    options.limits = std::move(limits);
    environment_ = std::make_shared<const trading_options>(options);
    revive({});
  }

  json tell(const std::string& type, json body = json::object()) {
    said = {};
    at_ += std::chrono::seconds(1);
    entity_->handle({type, std::move(body)}, {self_, at_}, said);
    if (!said.read_only) revive(entity_->save());
    if (type == "create" && !said.read_only && venue_) tell_venue(*venue_);
    return said.answer.value_or(nullptr);
  }
  void tell_venue(venue_choice venue) {
    effects nothing;
    entity_->handle({"portfolio_opened", {{"venue", name_of(venue)}}}, {self_, at_}, nothing);
    CHECK(nothing.tells.empty());
    revive(entity_->save());
  }

  /// Feeds [from, to) of the log; returns where it stopped.
  /// `next`: where the log goes on, if not right behind.
  std::int64_t feed(std::int64_t from, std::int64_t to, std::int64_t missing = 0,
                    std::int64_t next = 0) {
    said = {};
    const entity_id symbol{"symbol", "SPY"};
    const auto batch = trades(from, to);
    std::size_t done = 0;
    const feed_span span{symbol, batch.get(), batch->size(), troupe::position{std::max(to, next)},
                         missing};
    entity_->absorb_feed(span, done, {self_, at_}, said);
    revive(entity_->save());
    return from + static_cast<std::int64_t>(done);
  }

  /// What it told others since: `risk/p1 submit_order {...}`.
  std::vector<std::string> told() const {
    std::vector<std::string> all;
    for (const auto& [to, what] : said.tells) all.push_back(to_string(to) + ' ' + what.type);
    return all;
  }
  json published() const {
    json all = json::array();
    for (const auto& r : said.records) {
      CHECK(r.topic == session_events_topic);
      CHECK(r.key == "s1");
      all.push_back(json::parse(r.payload));
    }
    return all;
  }
  json state() const { return json::parse(entity_->save()).at("session"); }
  std::vector<followed> follows() const { return entity_->follows(); }
  void load(const std::string& text, int schema) { entity_->load(text, schema); }

  effects said;

 private:
  void revive(const std::string& text) {
    entity_ = std::make_unique<session_entity>("s1", environment_);
    if (!text.empty()) entity_->load(text, session_schema);
  }

  const std::optional<venue_choice> venue_;
  std::shared_ptr<const trading_options> environment_;
  entity_id self_{"session", "s1"};
  time_point at_ = from_micros(1'700'000'000'000'000);
  std::unique_ptr<entity> entity_;
};

using words = std::vector<std::string>;

json approval(int request, const char* quantity = "10") {
  return {{"number", request}, {"order", "p1-" + std::to_string(request)}, {"quantity", quantity}};
}

json known(std::int64_t offset, std::int64_t ask = 1) {
  return {{"portfolio", "p1"}, {"session", "s1"}, {"symbol", "SPY"},
          {"ask", ask},        {"offset", 1},     {"known", offset}};
}

}  // namespace

TEST_CASE("a session's life by commands: answers and events, with the ids that were given") {
  desk d;
  auto wish = a_create();
  wish["id"] = "c-1";
  CHECK(d.tell("create", wish) == json{{"session", "s1"}, {"phase", "created"}});
  CHECK(d.published() == json::array({{{"session", "s1"},
                                       {"event", "created"},
                                       {"phase", "created"},
                                       {"portfolio", "p1"},
                                       {"time", 1'700'000'001'000'000},
                                       {"id", "c-1"}}}));
  CHECK(d.follows().empty());
  const std::vector<std::array<const char*, 3>> steps{{"start", "running", "started"},
                                                      {"pause", "paused", "paused"},
                                                      {"resume", "running", "resumed"},
                                                      {"stop", "stopped", "stopped"},
                                                      {"delete", "deleted", "deleted"}};
  for (const auto& [command, phase, event] : steps) {
    CHECK(d.tell(command)["phase"] == phase);
    CHECK(d.published()[0]["event"] == event);
    CHECK(d.follows().size() ==
          (std::string_view("running paused").find(phase) != std::string::npos));
  }
}

TEST_CASE("what is refused is refused by name, told on the topic, and changes nothing") {
  struct row {
    const char* field;
    json value;
    const char* error;
  };
  const std::vector<row> table{
      {"portfolio", "p 1", "bad_name"},
      {"strategy", "sma_crosss", "unknown_strategy"},
      {"parameters", {{"speed", 3}}, "bad_parameter"},
      {"size", {{"by", "quantity"}, {"amount", "0"}}, "bad_size"},
      {"symbols", {"IBM"}, "unknown_symbol"},
      {"symbols", json::array(), "unknown_symbol"},
      {"symbols", {"SPY", "SPY"}, "unknown_symbol"},
      {"symbols", {"SPY", "S\nY"}, "unknown_symbol"},
      {"symbols", "SPY", "malformed_command"},
      {"parameters", {{"fast", "ten"}}, "malformed_command"},
      {"period", "2m", "malformed_command"},
      {"from", "yesterday", "malformed_command"},
      {"size", {{"by", "lots"}, {"amount", "1"}}, "malformed_command"},
      {"colour", "red", "malformed_command"},
  };
  desk d(only_spy);
  for (const auto& [field, value, error] : table) {
    auto wish = a_create();
    wish[field] = value;
    const auto answer = d.tell("create", wish);
    CHECK_MESSAGE(answer.value("error", "") == error, wish.dump());
    CHECK(!answer.value("detail", "").empty());
    CHECK(d.said.read_only);
    CHECK(d.published()[0]["event"] == "command_refused");
    CHECK(d.published()[0]["error"] == error);
  }
  auto wish = a_create();
  wish["parameters"] = {{"fast", "ten"}};
  CHECK(d.tell("create", wish)["detail"] == "parameters.fast = \"ten\": must be a number");
  CHECK(d.tell("start")["error"] == "unknown_session");
  CHECK(d.tell("dance")["error"] == "unknown_message");
  CHECK(d.tell("create", a_create())["phase"] == "created");
  CHECK(d.tell("create", a_create())["error"] == "wrong_phase");
  CHECK(d.tell("resume")["error"] == "wrong_phase");
  CHECK(d.tell("order_denied", {{"number", "one"}})["error"] == "malformed_message");
}

TEST_CASE("names of orders by hand and symbols that cannot be are no new session's") {
  struct row {
    const char* name;
    const char* symbol;
    session_refusal refusal;
    const char* detail;
  };
  using enum session_refusal;
  const row table[]{
      {"by-hand", "SPY", bad_name, "names that begin with by-hand are for orders by hand"},
      {"by-hand-anna", "S\nY", bad_name, "names that begin with by-hand are for orders by hand"},
      {"by hand", "SPY", bad_name, "the name of a session must be 1 to 64 characters"},
      {"by-han", "SPY", none, ""},
      {"my-by-hand", "BTC/USDT", none, ""},
      {"s1", "S\nY", unknown_symbol, "a symbol must have 1 to 32 characters, no control"},
      {"s1", "S\\Y", unknown_symbol, "a symbol must have 1 to 32 characters, no control"},
  };
  for (const auto& one : table) {
    CAPTURE(one.name);
    CAPTURE(one.symbol);
    faults wrong;
    auto body = a_create();
    body["symbols"] = {one.symbol};
    auto wish = read_create(body, one.name, wrong);
    const auto answer = complete(wish, every_symbol);
    CHECK(name_of(answer.refusal) == name_of(one.refusal));
    CHECK(answer.detail.starts_with(one.detail));
  }
}

TEST_CASE("it decides, waits for the verdict and for the effects, and goes on where it stopped") {
  desk d;
  d.tell("create", a_create());
  d.tell("start");
  REQUIRE(d.follows().size() == 1);
  CHECK(to_string(d.follows()[0].of) == "symbol/SPY");
  CHECK(d.follows()[0].next.value() == 0);

  CHECK(d.feed(0, 5) == 1);  // Bought on the first trade, and waits.
  CHECK(d.told() == words{"risk/p1 submit_order"});
  const auto request = d.said.tells[0].what.body;
  CHECK(request["session"] == "s1");
  CHECK(request["number"] == 1);
  CHECK(request["decided"]["offset"] == 0);
  CHECK(d.follows()[0].next.value() == 1);
  CHECK(d.feed(1, 5) == 1);
  CHECK(d.told().empty());

  d.tell("order_approved", approval(1));
  CHECK(d.feed(1, 5) == 1);  // Approved: what has it come to at 1?
  CHECK(d.told() == words{"portfolio/p1 await_effects"});
  CHECK(d.said.tells[0].what.body["offset"] == 1);

  d.tell("order_filled", {{"number", 1},
                          {"fill", json_of(fill{"p1-1.1",
                                                "p1-1",
                                                "SPY",
                                                side::buy,
                                                false,
                                                *parse_fixed("10"),
                                                *parse_fixed("101"),
                                                fixed(),
                                                {}})}});
  d.tell("order_changed", {{"order", "p1-1"}, {"status", "filled"}});
  d.tell("effects_known", known(1));
  CHECK(d.feed(1, 5) == 5);
  CHECK(d.told().empty());
  CHECK(d.state()["symbols"][0]["position"] == "10");
  CHECK(d.state()["symbols"][0]["open"].empty());
  CHECK(d.follows()[0].next.value() == 5);
}

TEST_CASE(
    "an answer to an older question does not count: it knew nothing of what was decided since") {
  desk d;
  d.tell("create", a_create());
  d.tell("start");
  d.feed(0, 5);
  d.tell("order_approved", approval(1));
  d.feed(1, 5);
  d.feed(1, 5);  // Asked again after a recovery.
  CHECK(d.said.tells[0].what.body["ask"] == 2);
  d.tell("effects_known", known(4, 1));
  CHECK(d.feed(1, 5) == 1);
  d.tell("effects_known", known(4, 3));
  CHECK(d.feed(1, 5) == 5);
}

TEST_CASE("a denied request is over; venues that do not tell are not waited for") {
  desk d(every_symbol, venue_choice::orders);
  d.tell("create", a_create());
  d.tell("start");
  CHECK(d.feed(0, 5) == 1);
  d.tell("order_denied", {{"number", 1}, {"refused", "cash"}, {"detail", "need=1"}});
  CHECK(d.state()["symbols"][0]["open"].empty());
  CHECK(d.feed(1, 3) > 1);

  desk e(every_symbol, venue_choice::orders);
  e.tell("create", a_create());
  e.tell("start");
  e.feed(0, 5);
  e.tell("order_approved", approval(1));
  CHECK(e.feed(1, 5) == 5);
  CHECK(e.told().empty());
}

TEST_CASE("it takes nothing before its portfolio has told where its orders go") {
  desk d(every_symbol, std::nullopt);
  d.tell("create", a_create());
  CHECK(d.told() == words{"portfolio/p1 open_portfolio"});
  CHECK(d.said.tells[0].what.body["session"] == "s1");
  d.tell("start");
  CHECK(d.follows().empty());
  d.tell_venue(venue_choice::orders);  // It was opened by hand, for another venue than new ones.
  CHECK(d.follows().size() == 1);
  d.feed(0, 1);
  CHECK(!d.said.tells[0].what.body.contains("paced"));
  d.tell("order_approved", approval(1));
  CHECK(d.feed(1, 5) == 5);
  CHECK(d.told().empty());

  desk e(every_symbol, std::nullopt);
  e.tell("create", a_create());
  e.tell("start");
  e.tell_venue(venue_choice::paper);
  e.feed(0, 1);
  CHECK(e.said.tells[0].what.body["paced"] == true);
}

TEST_CASE("children of a bracket are open orders: waited for, resized, and canceled by stop") {
  const auto placed = [](int order) {
    return json{{"symbol", "SPY"},
                {"order",
                 {{"number", 1},
                  {"id", "p1-" + std::to_string(order)},
                  {"side", "sell"},
                  {"type", "stop"},
                  {"limit", "0"},
                  {"stop", "90"},
                  {"quantity", "4"},
                  {"filled", "0"},
                  {"status", "pending"},
                  {"child", true}}}};
  };
  desk d;
  d.tell("create", a_create());
  d.tell("start");
  d.feed(0, 5);
  d.tell("order_approved", approval(1));
  d.feed(1, 5);
  d.tell("order_changed", {{"order", "p1-1"}, {"status", "filled"}});
  // Nothing is open, but what the event has come to is not all told yet.
  CHECK(d.feed(1, 5) == 1);
  d.tell("child_placed", placed(2));
  d.tell("child_placed", placed(2));
  d.tell("order_resized", {{"order", "p1-2"}, {"quantity", "10"}});
  d.tell("effects_known", known(1, 2));
  CHECK(d.feed(1, 5) == 2);
  CHECK(d.told() == words{"portfolio/p1 await_effects"});
  CHECK(d.said.tells[0].what.body["offset"] == 2);
  REQUIRE(d.state()["symbols"][0]["open"].size() == 1);
  CHECK(d.state()["symbols"][0]["open"][0]["quantity"] == "10");
  d.tell("stop");
  CHECK(d.told() == words{"portfolio/p1 cancel_order", "portfolio/p1 await_effects"});
  CHECK(d.said.tells[0].what.body["order"] == "p1-2");
  d.tell("child_placed", placed(3));
  CHECK(d.told() == words{"portfolio/p1 cancel_order", "portfolio/p1 await_effects"});
  CHECK(d.said.tells[0].what.body["order"] == "p1-3");
}

TEST_CASE("stop cancels what is open, also what is approved only afterwards") {
  desk d;
  d.tell("create", a_create());
  d.tell("start");
  d.feed(0, 1);
  d.tell("stop");
  CHECK(d.told() == words{"portfolio/p1 await_effects"});  // The venue need not wait for it.
  d.tell("order_approved", approval(1));
  CHECK(d.told() == words{"portfolio/p1 cancel_order", "portfolio/p1 await_effects"});
  CHECK(d.said.tells[0].what.body["order"] == "p1-1");
  CHECK(d.said.tells[0].what.body["decided"]["offset"] == 0);

  desk e;
  e.tell("create", a_create());
  e.tell("start");
  e.feed(0, 1);
  e.tell("order_approved", approval(1));
  e.tell("stop");
  CHECK(e.told() == words{"portfolio/p1 cancel_order", "portfolio/p1 await_effects"});
}

TEST_CASE("a session that was never reloaded does the same") {
  trading_options options;
  session_entity s("s1", std::make_shared<const trading_options>(options));
  const entity_id self{"session", "s1"};
  const auto tell = [&](const char* type, json body) {
    effects out;
    s.handle({type, std::move(body)}, {self, {}}, out);
    return out;
  };
  const auto feed = [&](std::int64_t from) {
    const entity_id symbol{"symbol", "SPY"};
    const auto batch = trades(from, from + 1);
    std::size_t done = 0;
    effects out;
    s.absorb_feed({symbol, batch.get(), 1, troupe::position{from + 1}}, done, {self, {}}, out);
    return out;
  };
  tell("create", a_create());
  tell("portfolio_opened", {{"venue", "paper"}});
  tell("start", json::object());
  CHECK(feed(0).tells.size() == 1);
  tell("order_approved", approval(1));
  for (int again = 0; again < 2; ++again) {  // Asked once.
    const auto out = feed(1);
    CHECK(out.tells.size() == (again == 0));
  }
}

TEST_CASE(
    "stopped before the verdict and never reloaded, it lets the venue go on once more after it") {
  trading_options options;
  session_entity s("s1", std::make_shared<const trading_options>(options));
  const entity_id self{"session", "s1"}, symbol{"symbol", "SPY"};
  const auto tell = [&](const char* type, json body) {
    effects out;
    s.handle({type, std::move(body)}, {self, {}}, out);
    return out.tells.size();
  };
  tell("create", a_create());
  tell("portfolio_opened", {{"venue", "paper"}});
  tell("start", json::object());
  const auto batch = trades(0, 1);
  std::size_t done = 0;
  effects out;
  s.absorb_feed({symbol, batch.get(), 1, troupe::position{1}}, done, {self, {}}, out);
  CHECK(tell("stop", json::object()) == 1);
  CHECK(tell("order_approved", approval(1)) == 2);  // Its cancel, and the venue's way on.
}

TEST_CASE("from now, from an offset, and what the log has lost") {
  desk d;
  auto wish = a_create();
  wish["from"] = "now";
  d.tell("create", wish);
  d.tell("start");
  CHECK(d.follows()[0].next == feed_from_now);
  d.tell("pause");
  CHECK(d.follows()[0].next == feed_from_now);
  d.feed(70, 80, 3);
  CHECK(d.follows()[0].next.value() == 80);
  CHECK(d.published()[0]["event"] == "records_missing");
  CHECK(d.published()[0]["count"] == 3);

  desk e;
  wish["from"] = "41";
  e.tell("create", wish);
  e.tell("start");
  CHECK(e.follows()[0].next.value() == 41);
  e.tell("pause");
  e.feed(41, 50, 0, 90);  // The rest up to there is of other symbols.
  CHECK(e.follows()[0].next.value() == 90);
}

TEST_CASE("states that it cannot have written are refused by name") {
  desk d;
  d.tell("create", a_create());
  for (const auto* text : {"", "[]", "{}", R"({"created_at":1,"commanded_at":2,"from_now":[]})",
                           R"({"created_at":1,"commanded_at":2,"from_now":[],"session":{}})"})
    CHECK_THROWS_AS(d.load(text, session_schema), bad_state);
}

TEST_CASE("the topic of commands takes commands to sessions and nothing else") {
  struct kept final : decoder_sink {
    void deliver(std::string_view, event_batch_ptr) override {}
    void deliver(const record_view&, entity_id to, message what, std::string request) override {
      all.push_back(to_string(to) + ' ' + what.type + ' ' + request + ' ' + what.body.dump());
    }
    void refuse(const record_view&, std::string_view reason, std::string_view detail) override {
      CHECK(!detail.empty());
      all.emplace_back(reason);
    }
    std::vector<std::string> all;
  } sink;
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"to":"session/s1","type":"start","id":"a"})", R"(session/s1 start a {"id":"a"})"},
      {R"({"to":"session/s1","type":"stop"})", "session/s1 stop  {}"},
      {R"({"to":"risk/s1","type":"start"})", "not_a_session"},
      {R"({"to":"session/s1","type":"order_filled"})", "unknown_command"},
      {R"({"to":"session/s1","type":"start","body":3})", "bad_field"},
      {R"({"to":"session/s2","type":"start"})", "wrong_key"},
      {R"({"to":"session/s1"})", "missing_field"},
      {"{", "malformed_json"},
      // Copying it would take a stack frame a level, and the process with it.
      {R"({"to":"session/s1","type":"create","body":)" + std::string(500'000, '[') +
           std::string(500'000, ']') + '}',
       "malformed_json"}};
  const auto decoder = make_session_command_decoder();
  for (const auto& [payload, expected] : table) {
    const record_view record{"s1", payload};
    sink.all.clear();
    decoder->decode({&record, 1}, sink);
    CHECK_MESSAGE(sink.all == words{expected}, payload);
  }
}
