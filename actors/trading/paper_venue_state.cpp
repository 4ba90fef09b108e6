#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/trading/paper_venue.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

using nlohmann::json;

/// Reads what `save` wrote. Throws json::exception on what it cannot have written.
class paper_venue_loader {
 public:
  static void load_account(paper_venue& to, const std::string& portfolio, const json& from) {
    auto& of = to.accounts_[portfolio];
    of.holding = parse_fixed(from.at("holding").get<std::string>()).value();
    for (const auto& [pacer, one] : from.at("lanes").items()) {
      auto& made =
          of.lanes.emplace(pacer, paper_venue::lane{paper_book::load(one.at("book").dump())})
              .first->second;
      made.met = whole(one, "met");
      made.awaited = whole(one, "awaited");
      made.ask = whole(one, "ask");
      made.open = one.at("open").get<bool>();
      made.known = whole(one, "known");
    }
  }

  /// Before, all orders went at the pace of the foremost session, in groups by their place in the
  /// log, of which the first had the holdings.
  static json account_of_groups(const std::string& portfolio, const json& from) {
    json orders = json::array(), pace{{"awaited", -1}, {"ask", 0}, {"open", false}};
    auto met = paper_venue::no_limit;
    for (const auto& group : from.at("groups"))
      for (auto order : group.at("book").at("orders")) {
        order["behind"] = std::max(whole(order, "behind"), whole(group, "met"));
        met = std::min(met, whole(group, "met"));
        orders.push_back(std::move(order));
      }
    std::string foremost;
    for (const auto& [session, one] : from.at("sessions").items())
      if (whole(one, "awaited") >= whole(pace, "awaited")) {
        foremost = session;
        pace = one;
      }
    auto book = from.at("groups").at(0).at("book");
    const auto holding = book.at("holdings").value(portfolio, std::string("0"));
    json lanes = json::object();
    if (!orders.empty()) {
      book["orders"] = std::move(orders);
      if (foremost.empty()) pace["awaited"] = paper_venue::no_limit;
      pace.update({{"book", std::move(book)}, {"met", met}, {"known", -1}});
      lanes[foremost] = std::move(pace);
    }
    return {{"holding", holding}, {"lanes", std::move(lanes)}};
  }

 private:
  static std::int64_t whole(const json& in, const char* name) {
    return in.at(name).get<std::int64_t>();
  }
};

std::string paper_venue::save() const {
  json accounts = json::object();
  for (const auto& [name, of] : accounts_) {
    json lanes = json::object();
    for (const auto& [pacer, one] : of.lanes)
      lanes[pacer] = {{"met", one.met},     {"awaited", one.awaited},
                      {"ask", one.ask},     {"open", one.open},
                      {"known", one.known}, {"book", json::parse(one.book.save())}};
    accounts[name] = {{"holding", to_string(of.holding)}, {"lanes", std::move(lanes)}};
  }
  return json{{"symbol", symbol_}, {"accounts", std::move(accounts)}}.dump();
}

void paper_venue::load(std::string_view state, int of_schema) {
  if (of_schema < 1 || of_schema > schema)
    throw bad_state("paper venue: schema " + std::to_string(of_schema) + " is not known");
  try {
    const auto stored = json::parse(state);
    if (stored.at("symbol") != symbol_) throw bad_state("paper venue: another symbol's state");
    accounts_.clear();
    for (const auto& [name, from] : stored.at("accounts").items())
      paper_venue_loader::load_account(
          *this, name, of_schema == 1 ? paper_venue_loader::account_of_groups(name, from) : from);
  } catch (const json::exception& e) {
    throw bad_state(std::string("paper venue: ") + e.what());
  } catch (const std::bad_optional_access&) {
    throw bad_state("paper venue: a holding is no decimal");
  }
}

}  // namespace troupe::trading
