#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/backtest.hpp"

namespace troupe::trading {

/// A text of bytes that is no recording; the text says why.
struct bad_recording : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The events of several symbols as bytes, to be kept and sent: equal data gives equal bytes on
/// every machine. Column by column, each number as the difference to the one before it, in as few
/// bytes as that takes: about a quarter of the memory. Of a symbol's rules only the name is in it.
std::string encode_recording(std::span<const symbol_data> data);

/// What encode_recording was given. Throws bad_recording on anything else.
std::vector<symbol_data> decode_recording(std::string_view bytes);

/// What the data takes in memory.
std::size_t bytes_of(std::span<const symbol_data> data);

}  // namespace troupe::trading
