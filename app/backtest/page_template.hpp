#pragma once

#include <string_view>

namespace troupe::app {

/// The page with the places @STYLE@ and @LIBRARY@ of the chart library, and @DATA@ of the report.
std::string_view page_template();

}  // namespace troupe::app
