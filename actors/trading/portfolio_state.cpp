#include <nlohmann/json.hpp>

#include "actors/trading/messages.hpp"
#include "actors/trading/portfolio.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

constexpr fixed least = fixed::from_raw(-INT64_MAX);

json json_of(const std::string& symbol, const holding& p, fixed mark) {
  return {{"symbol", symbol},          {"quantity", to_string(p.quantity)},
          {"cost", to_string(p.cost)}, {"realised", to_string(p.realised)},
          {"fees", to_string(p.fees)}, {"bought", to_string(p.bought)},
          {"sold", to_string(p.sold)}, {"fills", p.fills},
          {"mark", to_string(mark)}};
}

[[noreturn]] void damaged(const std::string& what) {
  throw bad_state("portfolio: " + what);
}

}  // namespace

/// Reads what `save` wrote.
class portfolio_loader {
 public:
  explicit portfolio_loader(const json& from) : fields_(from, "", wrong_), made_({}) {}

  portfolio load() {
    read_settings();
    each("symbols", [this](const json& one, const std::string& path) { read_symbol(one, path); });
    each("orders", [this](const json& one, const std::string& path) { read_order(one, path); });
    read_ended();
    for (auto& [number, o] : made_.orders_) made_.count_children(o);
    fields_.finish();
    if (!wrong_.empty()) damaged(to_string(wrong_));
    return std::move(made_);
  }

 private:
  template <class Read>
  void each(const char* name, Read read) {
    const auto* list = fields_.member(name, presence::required);
    if (list == nullptr) return;
    if (!list->is_array()) return fields_.refuse(name, "must be a list");
    for (std::size_t i = 0; i < list->size(); ++i)
      read((*list)[i], std::string(name) + '[' + std::to_string(i) + ']');
  }

  void read_settings() {
    portfolio_settings settings;
    fields_.name("name", settings.name)
        .decimal("initial", settings.cash, least)
        .whole("ended_max", settings.ended_max, 0, INT64_MAX);
    made_ = portfolio(settings);
    fields_.amount("cash", made_.facts_.cash)
        .whole("last_number", made_.last_number_, 0, INT64_MAX)
        .whole("placed", made_.facts_.placed, 0, INT64_MAX);
  }

  void read_symbol(const json& one, const std::string& path) {
    field_reader fields(one, path, wrong_);
    std::string symbol;
    holding p;
    fixed mark;
    fields.name("symbol", symbol)
        .decimal("quantity", p.quantity, least)
        .amount("cost", p.cost)
        .amount("realised", p.realised)
        .amount("fees", p.fees)
        .amount("bought", p.bought)
        .amount("sold", p.sold)
        .whole("fills", p.fills, 0, INT64_MAX)
        .decimal("mark", mark, fixed{});
    fields.finish();
    const auto i = made_.index_of(symbol).value();
    made_.positions_[i] = p;
    made_.facts_.symbols[i].position = p.quantity;
    made_.facts_.symbols[i].mark = mark;
  }

  void read_order(const json& one, const std::string& path) {
    auto o = parse<order>(one, wrong_, path);
    if (!o) return;
    if (o->number > made_.last_number_) damaged(path + " has a number that was never given");
    o->symbol = made_.index_of(o->terms.symbol);
    const auto [at, fresh] = made_.orders_.emplace(o->number, std::move(*o));
    if (!fresh) damaged(path + " is there twice");
    const auto& kept = at->second;
    if (is_final(kept.status)) return;
    made_.reserve(kept, 1);
    made_.open_.insert(std::lower_bound(made_.open_.begin(), made_.open_.end(), kept.number),
                       kept.number);
    ++made_.facts_.open_orders;
  }

  void read_ended() {
    each("ended", [this](const json& one, const std::string& path) {
      const auto known = one.is_number_integer() ? made_.orders_.find(one.get<std::int64_t>())
                                                 : made_.orders_.end();
      if (known == made_.orders_.end() || !is_final(known->second.status))
        damaged(path + " is not an ended order");
      made_.note_end(known->second);
    });
    if (made_.ended_.size() + made_.closed_.size() + made_.open_.size() != made_.orders_.size())
      damaged("ended does not tell all ended orders");
  }

  faults wrong_;
  field_reader fields_;
  portfolio made_;
};

std::string portfolio::save() const {
  json out{{"name", settings_.name},           {"initial", to_string(settings_.cash)},
           {"ended_max", settings_.ended_max}, {"cash", to_string(facts_.cash)},
           {"last_number", last_number_},      {"placed", facts_.placed},
           {"symbols", json::array()},         {"ended", ended_}};
  for (const auto number : closed_) out["ended"].push_back(number);
  for (std::size_t i = 0; i < positions_.size(); ++i)
    out["symbols"].push_back(json_of(facts_.names.name(symbol_index{static_cast<std::uint32_t>(i)}),
                                     positions_[i], facts_.symbols[i].mark));
  auto text = out.dump();
  text.back() = ',';
  text += "\"orders\":[";
  for (const auto& [number, o] : orders_) {
    if (is_final(o.status))
      text += text_of_ended(o);
    else
      text += trading::json_of(o).dump();
    text += ',';
  }
  if (!orders_.empty()) text.pop_back();
  return text += "]}";
}

const std::string& portfolio::text_of_ended(const order& o) const {
  auto& text = ended_text_[o.number];
  if (text.empty()) text = trading::json_of(o).dump();
  return text;
}

portfolio portfolio::load(std::string_view state) {
  const auto from = json::parse(state, nullptr, false);
  if (!from.is_object()) damaged("not a JSON object");
  return portfolio_loader(from).load();
}

}  // namespace troupe::trading
