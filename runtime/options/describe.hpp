#pragma once

#include "runtime/options/options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// Names every option of the cluster's file, except the domains'.
void describe(section& s, cluster_options& o);
/// Names every option of a node's file.
void describe(section& s, node_options& o);

}  // namespace troupe
