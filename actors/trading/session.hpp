#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/strategy.hpp"

namespace troupe::trading {

inline constexpr int session_schema = 1;

/// Stored by name.
enum class session_phase : std::uint8_t {
  created = 0,  // Takes no events yet.
  running = 1,
  paused = 2,   // Follows the market, asks for nothing; orders stay at the venue.
  stopped = 3,  // The end of its trading: open orders are canceled, positions stay.
  deleted = 4,
};
enum class session_command : std::uint8_t { start = 0, pause = 1, resume = 2, stop = 3, del = 4 };

/// The phase that a command leads to; nothing: not from this one.
std::optional<session_phase> next_phase(session_phase from, session_command by);
/// `pause, stop`: the commands that a phase allows.
std::string commands_allowed(session_phase in);

/// Why a session is not made or does not obey. Stored by name. In order of precedence.
enum class session_refusal : std::uint8_t {
  none = 0,
  bad_name = 1,          // Of session or portfolio: 1 to 64 of letters, digits, `_`, `-`, `.`.
  unknown_strategy = 2,  // Detail: those there are.
  bad_parameter = 3,     // Detail: all that is wrong, and what is allowed.
  bad_size = 4,          // Not above 0, or above 100,000 percent.
  unknown_symbol = 5,    // None given, one twice, or one that has no instrument.
  wrong_phase = 6,       // Detail: the phase and what it allows.
};

struct session_answer {
  session_refusal refusal = session_refusal::none;
  std::string detail;
};

struct session_settings {
  std::string name;
  std::string portfolio;
  std::string strategy;
  given_parameters parameters;
  std::vector<instrument> instruments;  // Of the symbols that it trades.
  market::period bars = market::period::m1;
  orders::size size;
  /// The portfolio's venue tells how far it has come (`effects_known`), and no event is taken
  /// before what its orders came to until then is known. Real venues do not tell: false.
  bool venue_tells = true;
};

/// Fills in the instruments of these symbols, in their order.
session_answer choose_instruments(std::span<const std::string> symbols,
                                  std::span<const instrument> known, session_settings& to);

/// What is wrong with a session before there is one.
session_answer check(const session_settings& settings);

/// A trading session: what it trades, how far it has read each symbol's log, and what it has asked
/// for. A pure function of its commands, events and answers.
///
/// After a decision no further event of that symbol is taken until the risk check has answered
/// every request and, where the venue tells, until its effects up to that event are known: so what
/// a strategy sees does not depend on how fast the answers come. `docs/backtest.md` has the rule.
class session {
 public:
  /// Requires: settings that `check` lets through. Phase: created.
  explicit session(session_settings settings);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  const session_settings& settings() const { return settings_; }
  /// Before its first event.
  void set_venue_tells(bool tells) { settings_.venue_tells = tells; }
  session_phase phase() const { return phase_; }
  std::size_t symbols() const { return slots_.size(); }
  /// Of a symbol; nothing: it does not trade that.
  std::optional<std::size_t> index_of(std::string_view symbol) const;

  session_answer obey(session_command command, session_effects& out);

  /// May the event at this offset of the symbol's log be taken now? Events up to the cursor may be
  /// given again, and do nothing.
  bool ready(std::size_t symbol, std::int64_t offset) const;
  /// Requires: ready. `detail` is looked at for bars. Tickers and forming bars only move the
  /// cursor.
  void take(std::size_t symbol, const market::market_event& e, const market::ohlcv& detail,
            session_effects& out);
  /// Where a symbol is read from; set before the session starts.
  void set_cursor(std::size_t symbol, std::int64_t offset);
  /// The last offset taken; -1: none.
  std::int64_t cursor(std::size_t symbol) const;

  // Answers, by the number of the request or the id of the order; each counts once, and those that
  // name what is not open are ignored.
  void approved(std::int64_t number, std::string id, fixed quantity, session_effects& out);
  void denied(std::int64_t number);
  /// A child of a bracket is at the venue: an open order like those that were asked for.
  void child_placed(std::size_t symbol, own_order child, session_effects& out);
  /// The portfolio has changed an order's quantity.
  void order_resized(std::string_view id, fixed quantity);
  /// The order has another state; in a final one it is no longer open.
  void order_changed(std::string_view id, order_status status);
  /// A fill of an order of this session, by number or id; the position follows it.
  /// Requires: not told before (the portfolio tells each once).
  void filled(const fill& f);
  /// What its orders come to up to this offset has been asked for: no event is taken before the
  /// answer, `effects_known`, even if none of them is open any more.
  void effects_awaited(std::size_t symbol, std::int64_t offset);
  bool waits_for_effects(std::size_t symbol) const;
  /// All effects of the symbol's events up to this offset have been told.
  void effects_known(std::size_t symbol, std::int64_t offset);

  fixed position(std::size_t symbol) const;
  const std::vector<own_order>& open_orders(std::size_t symbol) const;
  const market_view& view(std::size_t symbol) const;
  /// What the symbol has taken, and refused by the market's rules.
  const market::symbol_counters& counters(std::size_t symbol) const;
  std::int64_t last_number() const { return last_number_; }

  /// The state as JSON text.
  std::string save() const;
  /// What `save` wrote. Throws bad_state.
  static std::unique_ptr<session> load(std::string_view state, int schema);

 private:
  struct slot;
  own_order* open_order(std::int64_t number, slot*& of);
  own_order* open_order(std::string_view id, slot*& of);
  static void end(slot& of, const own_order& order);

  session_settings settings_;
  std::shared_ptr<const market::symbol_rules> rules_;
  session_phase phase_ = session_phase::created;
  std::int64_t last_number_ = 0;
  std::vector<std::unique_ptr<slot>> slots_;
};

template <>
struct names_of<session_phase> {
  static constexpr std::array<std::string_view, 5> list{"created", "running", "paused", "stopped",
                                                        "deleted"};
};
template <>
struct names_of<session_command> {
  static constexpr std::array<std::string_view, 5> list{"start", "pause", "resume", "stop",
                                                        "delete"};
};
template <>
struct names_of<session_refusal> {
  static constexpr std::array<std::string_view, 7> list{
      "none",     "bad_name",       "unknown_strategy", "bad_parameter",
      "bad_size", "unknown_symbol", "wrong_phase"};
};

}  // namespace troupe::trading
