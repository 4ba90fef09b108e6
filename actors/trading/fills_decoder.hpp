#pragma once

#include <memory>

#include "runtime/entity/ingress.hpp"

namespace troupe::trading {

/// Decoder of the topic `fills`: what an external venue says of orders, one report a record, keyed
/// by the portfolio; docs/trading.md has the form. Refuses `malformed_json`, `malformed_report`,
/// `wrong_key`. A report may come any number of times.
std::unique_ptr<decoder> make_fills_decoder();

}  // namespace troupe::trading
