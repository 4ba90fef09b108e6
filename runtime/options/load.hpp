#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/options/describe.hpp"
#include "runtime/options/document.hpp"
#include "runtime/options/options.hpp"
#include "runtime/options/section.hpp"
#include "runtime/options/violation.hpp"

namespace troupe {

struct config {
  cluster_options cluster;
  node_options node;
};

/// Options, or everything that is wrong with the files: exactly one of them.
struct config_result {
  std::optional<config> options;
  std::vector<violation> violations;
};

/// Reads a node's file and the cluster's file that it names. `domains` receive their groups of the
/// cluster's file; do not use what they received when there are violations.
config_result load_config(const std::string& node_file,
                          const std::vector<domain_section>& domains = {},
                          const environment& env = process_environment(),
                          const library_checks& judge = {});

/// What is wrong with a file and, if it is a node's (it has an `id` or a `cluster`), with its
/// cluster's file.
std::vector<violation> check_config(const std::string& file,
                                    const std::vector<domain_section>& domains = {},
                                    const environment& env = process_environment(),
                                    const library_checks& judge = {});

/// Every option of both files with its default, as JSON with comments.
std::string print_reference(const std::vector<domain_section>& domains = {});

}  // namespace troupe
