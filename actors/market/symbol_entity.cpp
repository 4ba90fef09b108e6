#include "actors/market/symbol_entity.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "actors/market/json_text.hpp"
#include "actors/market/market_tables.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::market {

namespace {

void put_head(json_text& to, std::string_view symbol, period length, std::int64_t open_time) {
  to.raw("{").name("symbol").text(symbol).name("period").text(name_of(length));
  to.name("open_time").number(open_time);
}

std::string bar_record(std::string_view symbol, period length, const price_bar& b) {
  std::string payload;
  json_text to(payload);
  put_head(to, symbol, length, b.open_time);
  to.name("open").decimal(b.open).name("high").decimal(b.high);
  to.name("low").decimal(b.low).name("close").decimal(b.close);
  to.name("volume").decimal(b.volume).name("trades").number(b.trades).raw("}");
  return payload;
}

std::string indicator_record(std::string_view symbol, period length, std::int64_t open_time,
                             const std::vector<std::string>& names,
                             std::span<const double> values) {
  std::string payload;
  json_text to(payload);
  put_head(to, symbol, length, open_time);
  to.name("values").raw("{");
  for (std::size_t i = 0; i < names.size(); ++i) to.name(names[i]).real(values[i]);
  to.raw("}}");
  return payload;
}

/// PostgreSQL's text of an array.
std::string array_text(std::span<const double> values) {
  std::string text = "{";
  json_text to(text);
  for (double v : values) to.separate().real(v);
  return text += '}';
}

std::string array_text(const std::vector<std::string>& names) {
  std::string text = "{";
  json_text to(text);
  for (const auto& name : names) to.separate().text(name);
  return text += '}';
}

/// Turns what a symbol brings forth into rows and records.
class effects_listener final : public symbol_listener {
 public:
  effects_listener(const std::string& symbol, const symbol_rules& rules, bool& plan_told,
                   effects& out)
      : symbol_(symbol), rules_(rules), plan_told_(plan_told), out_(out) {}

  void bar_closed(period length, const price_bar& b, std::span<const double> values) override {
    tell_plan();
    out_.rows(bar_table)
        .row()
        .add(symbol_)
        .add(name_of(length))
        .add(from_micros(b.open_time))
        .add(b.open)
        .add(b.high)
        .add(b.low)
        .add(b.close)
        .add_wide(b.volume)
        .add(b.trades)
        .add(rules_.plan_id)
        .add(array_text(values));
    const auto& names = rules_.indicators.names();
    out_.publish(bars_topic, symbol_, bar_record(symbol_, length, b));
    if (!names.empty())
      out_.publish(indicators_topic, symbol_,
                   indicator_record(symbol_, length, b.open_time, names, values));
  }

  void second_ended(std::int64_t second, const top_of_book& last) override {
    out_.rows(top_of_book_table)
        .row()
        .add(symbol_)
        .add(from_micros(second))
        .add(last.bid)
        .add(last.bid_size)
        .add(last.ask)
        .add(last.ask_size);
  }

 private:
  void tell_plan() {
    if (plan_told_) return;
    plan_told_ = true;
    out_.rows(indicator_plan_table)
        .row()
        .add(rules_.plan_id)
        .add(array_text(rules_.indicators.names()));
  }

  const std::string& symbol_;
  const symbol_rules& rules_;
  bool& plan_told_;
  effects& out_;
};

}  // namespace

symbol_entity::symbol_entity(std::string name, std::shared_ptr<const symbol_rules> rules)
    : name_(std::move(name)), rules_(std::move(rules)), core_(*rules_) {}

void symbol_entity::load(std::string_view state, int schema) {
  if (schema != symbol_schema)
    throw bad_state("symbol: schema " + std::to_string(schema) + " is not known");
  core_.load(state);
}

std::string symbol_entity::save() const {
  return core_.save();
}

void symbol_entity::handle(const message& what, const context& where, effects& out) {
  if (what.type != "show") return entity::handle(what, where, out);
  out.reply(nlohmann::json::parse(core_.save()));
}

void symbol_entity::absorb(const event_batch& events, std::size_t& done, effects& out) {
  const auto* batch = dynamic_cast<const market_batch*>(&events);
  ensure(batch != nullptr, "symbols take market batches");
  effects_listener listener(name_, *rules_, plan_told_, out);
  core_.apply(*batch, done, listener);
}

kind_def make_symbol_kind(const market_options& options) {
  kind_def kind;
  kind.name = symbol_kind;
  kind.schema = symbol_schema;
  kind.log_fed = true;
  kind.make = [rules = std::make_shared<const symbol_rules>(options)](const entity_id& id) {
    return std::make_unique<symbol_entity>(id.key, rules);
  };
  return kind;
}

}  // namespace troupe::market
