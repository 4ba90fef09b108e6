#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/messages.hpp"
#include "actors/trading/paper_book.hpp"

namespace troupe::trading {

/// `await_effects`, from a session by way of its portfolio to the paper venue: what have my orders
/// come to up to this event? The answer, `effects_known`, takes the same way back, behind all
/// reports, with `known`.
struct effects_question {
  std::string portfolio, session, symbol;
  std::int64_t ask = 0;  // Of its session and symbol: 1, 2, 3 ...
  std::int64_t offset = 0;
  std::int64_t known = -1;  // The answer: at least `offset`.
  bool operator==(const effects_question&) const = default;
};
nlohmann::json json_of(const effects_question& v);
void read(field_reader& from, effects_question& to);

/// The paper venue of one symbol: which orders it has, and how far they have met the symbol's log.
///
/// - Orders that a session paces (`paced_by`) meet the log together, and no further than it has
///   asked for (`await`), so that what it decides on an event is known before the next one comes.
/// - The others of a portfolio meet the log together, too, as it comes. Where no decision tells of
///   a place in the log they begin with whatever comes next.
/// - An order decided before where those that it belongs to are meets the log from its decision on;
///   for the others nothing happens twice.
///
/// However far apart they are, all orders of a portfolio reduce one holding.
class paper_venue {
 public:
  paper_venue(std::string symbol, paper_options options)
      : symbol_(std::move(symbol)), options_(options) {}

  /// What goes to the portfolios; reports before answers.
  struct output {
    std::vector<order_report> reports;
    std::vector<effects_question> answers;  // `known` is set.
  };
  /// As `await`ed by a session that asks no more: its orders meet the log as it comes.
  static constexpr std::int64_t no_limit = INT64_MAX;

  /// `now` as for paper_book::take.
  void take(const venue_order& order, output& out, time_point now = time_point::max());
  void cancel(const venue_cancel& wish, output& out, time_point now = time_point::max());
  void change(const venue_change& wish, output& out);
  /// Requires: of this symbol.
  void await(const effects_question& asked, output& out);

  /// The first offset of the log that an order waits for; `from_now`: an order waits to learn where
  /// the log ends; nothing: none waits.
  std::optional<std::int64_t> next() const;
  static constexpr std::int64_t from_now = feed_from_now.value();
  /// Meets the orders with events [done, end) of a stretch of the log that reaches up to `next`.
  void absorb(const market::market_batch& events, std::size_t& done, std::size_t end, output& out);
  /// Nothing else happened before this offset of the log; where `next` said from_now: here it goes
  /// on.
  void passed(std::int64_t next);
  /// What else happened before this offset has been lost, and nothing can come of it any more.
  void lost(std::int64_t next, output& out);

  /// How long a log must have said nothing before the clock ends an order.
  static constexpr std::chrono::seconds silence{5};
  /// When the clock ends the first order; nothing: none.
  std::optional<time_point> clock_end() const;
  /// Ends what has expired by the clock, if the log has brought nothing since the call before and
  /// all of it is known to come to nothing more. The first call only begins to listen, whatever
  /// sessions have asked for. To be called every `silence` from `clock_end` on. What was heard is
  /// not saved: a new owner listens anew.
  void end_overdue(time_point now, output& out);

  const std::string& symbol() const { return symbol_; }

  static constexpr int schema = 2;  // Before: all orders of a portfolio had one pace.
  /// The state as JSON text, and back; throws bad_state.
  std::string save() const;
  void load(std::string_view state, int of_schema = schema);

 private:
  static constexpr std::int64_t nowhere = from_now - 1;  // `next` is from_now.
  /// Orders of one portfolio that have one pace.
  struct lane {
    paper_book book;
    std::int64_t met = nowhere;  // All events up to this one.
    std::int64_t awaited = -1;   // They are to meet events up to this one.
    std::int64_t ask = 0;
    bool open = false;  // Not answered yet.
    /// What was answered last, if nothing has come since: up to here its orders come to nothing.
    std::int64_t known = -1;

    bool idle() const { return book.orders().empty(); }
  };
  struct account {
    fixed holding;                      // By the fills of all lanes.
    std::map<std::string, lane> lanes;  // By the session that paces; empty: the log does.
  };

  lane& lane_of(account& of, const std::string& pacer);
  lane& lane_with(account& of, std::string_view order);
  static void tidy(account& of);
  void meet(const std::string& portfolio, account& of, lane& with, const market::market_event& e,
            const market::ohlcv* bar, output& out);
  void settle(const std::string& portfolio, const std::string& session, lane& of, output& out,
              std::int64_t known = -1) const;
  std::int64_t look_ahead(const lane& of, const market::market_batch& events, std::size_t from,
                          std::size_t end) const;
  friend class paper_venue_loader;

  std::string symbol_;
  paper_options options_;
  std::map<std::string, account> accounts_;
  std::int64_t heard_ = -1;  // The last offset that is known to have an event that counts.
  /// `heard_` at the last end_overdue: it listens. Nothing: no order is overdue.
  std::optional<std::int64_t> looked_;
};

/// `p1` of `p1-17`.
std::string portfolio_of(std::string_view order);

}  // namespace troupe::trading
