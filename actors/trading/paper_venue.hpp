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

/// The paper venue of one symbol: which orders it has, and how far each portfolio's have met the
/// symbol's log.
///
/// Orders meet the log no further than a session of their portfolio has asked for (`await`), so
/// that what it decides on an event is known before the next one comes. Portfolios go through the
/// log each at its own pace; an order decided before where the others of its portfolio are meets
/// the log from there, by itself.
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
  void cancel(const venue_cancel& wish, output& out);
  void change(const venue_change& wish, output& out);
  /// Requires: of this symbol.
  void await(const effects_question& asked, output& out);

  /// The first offset of the log that an order waits for; nothing: none waits.
  std::optional<std::int64_t> next() const;
  /// Meets the orders with events [done, end) of a stretch of the log that reaches up to `next`.
  void absorb(const market::market_batch& events, std::size_t& done, std::size_t end, output& out);
  /// Nothing else happened before this offset of the log.
  void passed(std::int64_t next);

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

  static constexpr int schema = 1;
  /// The state as JSON text, and back; throws bad_state.
  std::string save() const;
  void load(std::string_view state);

 private:
  /// Orders that are at the same place of the log.
  struct group {
    paper_book book;
    std::int64_t met = -1;  // All events up to this one.
  };
  struct session_pace {
    std::int64_t awaited = -1;
    std::int64_t ask = 0;
    bool open = false;  // Not answered yet.
  };
  struct account {
    std::map<std::string, session_pace> sessions;
    std::vector<group> groups;  // The first has the holdings.
    /// What was answered last, if nothing has come since: up to here its orders come to nothing.
    std::int64_t known = -1;

    std::int64_t limit() const;
    std::int64_t met() const;  // By all orders.
    bool idle() const;         // There is no order.
  };

  account& account_of(const std::string& portfolio);
  group& group_for(account& of, std::int64_t decided);
  static void forget_finished(account& of);
  static group& group_with(account& of, std::string_view order);
  void settle(const std::string& portfolio, account& of, const market::market_batch* events,
              std::size_t from, std::size_t end, output& out);

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
