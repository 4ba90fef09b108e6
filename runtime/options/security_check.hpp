#pragma once

#include <string>
#include <vector>

#include "runtime/options/options.hpp"
#include "runtime/options/violation.hpp"

namespace troupe {

/// Makes the paths of a node's security group independent of the folder of its file, and reads
/// token_file into `token`. Reports what is wrong with them: files that are missing, cannot be used
/// or do not fit the node and its cluster, and servers that would listen beyond this machine
/// without the security that takes.
void settle_security(node_options& node, const std::string& cluster, const std::string& node_file,
                     std::vector<violation>& found);

}  // namespace troupe
