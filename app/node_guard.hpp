#pragma once

#include <string>

#include "runtime/base/ids.hpp"
#include "runtime/http/routes.hpp"
#include "runtime/store/cluster_store.hpp"

namespace troupe::app {

/// Why a node may not link to this one: a later life of the same id runs, so either another process
/// has the same id, or this is what is left of one that was superseded. Empty: it may.
std::string objection_to(const store::cluster_view& view, const std::string& id, incarnation life);

/// Whether a request shows `Authorization: Bearer TOKEN`.
bool shows_token(const http::request& r, const std::string& token);

/// Lets requests with the token pass and answers 401 to others, except to the two health probes:
/// who watches over processes seldom has a token, and their handlers tell strangers no details.
http::routes::guard_function token_guard(std::string token);

}  // namespace troupe::app
