#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "runtime/options/document.hpp"
#include "runtime/options/section.hpp"
#include "runtime/options/violation.hpp"

namespace troupe {

/// Where an option may stand, for those who put it elsewhere: path -> `lease.ttl_ms` or `kafka (in
/// the cluster file)`.
using known_options = std::map<std::string, std::string>;

/// Adds the paths of everything that `describe` names.
void collect_paths(const std::function<void(section&)>& describe, const std::string& remark,
                   known_options& known);

struct reading {
  std::string file;
  const environment& env;
  const known_options& known;
  std::vector<violation>& found;
};

/// Puts what an object says into the members that `describe` names, and reports every violation:
/// values that are not allowed, missing required ones, broken relations, unknown keys. A member
/// whose value is refused keeps its default.
void read_section(const nlohmann::json& object, const reading& how,
                  const std::function<void(section&)>& describe);

}  // namespace troupe
