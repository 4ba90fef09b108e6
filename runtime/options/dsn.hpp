#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Whether a text has the form of a libpq connection: `host=... dbname=...`, or a postgresql://
/// address. Which keywords there are and what they mean is libpq's affair.
bool is_dsn(std::string_view text);

/// The keywords in it, as written; of an address those behind its `?`.
std::vector<std::string> dsn_keywords(std::string_view dsn);

/// The text with everything hidden that is not known to be harmless: `host=db user=troupe
/// password=***`.
std::string without_password(std::string_view dsn);

}  // namespace troupe
