#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace troupe {

/// A number that the compiler will not mix up with another kind of number.
template <class Tag, class Rep>
class strong_id {
 public:
  using rep = Rep;

  constexpr strong_id() = default;
  constexpr explicit strong_id(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const strong_id&) const = default;

 private:
  Rep value_{};
};

}  // namespace troupe

template <class Tag, class Rep>
struct std::hash<troupe::strong_id<Tag, Rep>> {
  std::size_t operator()(troupe::strong_id<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
