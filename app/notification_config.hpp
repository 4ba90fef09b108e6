#pragma once

#include "actors/ops/notification_options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// The group `notifications` of the cluster's file. `options` receives what the file says and must
/// outlive the section.
domain_section notification_section(ops::notification_options& options);

}  // namespace troupe
