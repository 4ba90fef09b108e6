#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/market/symbol.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::market {

inline constexpr std::string_view symbol_kind = "symbol";
inline constexpr int symbol_schema = 1;

/// A symbol as an entity: closed bars and ended seconds become rows, bars and their indicators
/// records too. Answers `show` with its state.
class symbol_entity final : public entity {
 public:
  symbol_entity(std::string name, std::shared_ptr<const symbol_rules> rules);

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;
  void absorb(const event_batch& events, std::size_t& done, effects& out) override;

 private:
  std::string name_;
  std::shared_ptr<const symbol_rules> rules_;
  symbol core_;
  bool plan_told_ = false;  // Not state: the row is written once a life, and again does no harm.
};

/// The kind for the catalog. All symbols made by it share the rules.
kind_def make_symbol_kind(const market_options& options);

}  // namespace troupe::market
