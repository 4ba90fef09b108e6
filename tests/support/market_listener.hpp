#pragma once

#include "runtime/entity/entity.hpp"

// An entity kind that follows symbols, for the tests of feeds on real nodes.
namespace troupe::test {

inline constexpr std::string_view listened_topic = "listened";

/// `listener`: counts the events and the trades of the symbols it follows, sums the trades' sizes,
/// and publishes a record with every hundredth trade of a symbol. Messages: `listen {"symbols":
/// [...]}` from their first event on.
kind_def listener_kind();

}  // namespace troupe::test
