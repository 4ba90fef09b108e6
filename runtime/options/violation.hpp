#pragma once

#include <string>
#include <vector>

namespace troupe {

/// One thing that is wrong with a configuration. Holds no secret: every part may be printed.
struct violation {
  std::string file;
  std::string field;    // `lease.ttl_ms`, `line 3, column 7`; empty: the whole file.
  std::string value;    // As written in the file; empty: missing, or not for printing.
  std::string allowed;  // What is wrong and what would be right.
};

/// `config/local/cluster.json: lease.ttl_ms = 100: must be ...`
std::string to_string(const violation& v);

}  // namespace troupe
