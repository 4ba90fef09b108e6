#pragma once

#include <functional>
#include <string>

#include "runtime/options/options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// What only the libraries that they are for can judge. Each returns why its library does not take
/// it, empty if it does, and never repeats a value: it may be a secret. Unset: not judged.
struct library_checks {
  std::function<std::string(const std::string& name, const std::string& value)> kafka_setting;
  std::function<std::string(const std::string& dsn)> dsn;
};

/// Names every option of the cluster's file, except the domains'.
void describe(section& s, cluster_options& o, const library_checks& judge = {});
/// Names every option of a node's file.
void describe(section& s, node_options& o);

}  // namespace troupe
