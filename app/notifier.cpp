#include "app/notifier.hpp"

#include "actors/ops/notification_entity.hpp"
#include "runtime/base/log.hpp"
#include "runtime/http/signature.hpp"

namespace troupe::app {

using nlohmann::json;
using ops::attempt_outcome;

namespace {

constexpr std::size_t in_flight_max = 128;  // Of a node, whatever the channels.

json answer_of(attempt_outcome how, const std::string& detail) {
  return {{"outcome", trading::name_of(how)}, {"detail", detail}};
}

std::string text_in(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

void write_line(const json& request) {
  const auto& body = request.at("body");
  const auto channel = text_in(request, "channel");
  const auto facts = body.at("facts").dump(-1, ' ', false, json::error_handler_t::replace);
  if (request.at("level") == "info")
    return log::write_always(log::level::info, "notification", text_in(body, "rule"),
                             {{"channel", channel},
                              {"id", text_in(body, "id")},
                              {"text", text_in(body, "text")},
                              {"facts", facts}});
  log::error("notification", "given_up",
             {{"channel", channel},
              {"id", text_in(body, "id")},
              {"text", text_in(body, "text")},
              {"reason", text_in(request, "reason")},
              {"detail", text_in(request, "detail")}});
}

}  // namespace

attempt_outcome judge(const http::outcome& answer) {
  const int status = answer.status;
  if (status >= 200 && status < 300) return attempt_outcome::delivered;
  const bool never = status >= 400 && status < 500 && status != 408 && status != 429;
  return never ? attempt_outcome::refused : attempt_outcome::failed;
}

http::outgoing webhook_request(const ops::channel_options& channel, const std::string& id,
                               std::int64_t seconds, std::string body,
                               std::chrono::milliseconds timeout) {
  const auto time = std::to_string(seconds);
  auto signature = "sha256=" + http::hmac_sha256(channel.secret, time + '.' + body);
  return {channel.url,
          {{"Content-Type", "application/json"},
           {"X-Troupe-Id", id},
           {"X-Troupe-Timestamp", time},
           {"X-Troupe-Signature", std::move(signature)}},
          std::move(body),
          timeout};
}

notifier::notifier(const ops::notification_options& options)
    : options_(options), client_(in_flight_max) {}

void notifier::call(const effects::called& what, answered done) {
  if (what.service == ops::webhook_service) return post(what, std::move(done));
  write_line(what.request);
  if (!what.id.empty()) done(answer_of(attempt_outcome::delivered, ""));
}

void notifier::post(const effects::called& what, answered done) {
  const auto channel = options_.channels.find(text_in(what.request, "channel"));
  if (channel == options_.channels.end() || channel->second.url.empty())
    return done(answer_of(attempt_outcome::failed, "this node's config has no such webhook"));
  constexpr std::int64_t micros = 1'000'000;
  auto request = webhook_request(channel->second, what.id,
                                 what.request.at("time").get<std::int64_t>() / micros,
                                 text_in(what.request, "body"), options_.delivery.timeout);
  const auto on_end = [done](const http::outcome& end) {
    done(answer_of(judge(end),
                   end.status == 0 ? end.error : "HTTP status " + std::to_string(end.status)));
  };
  if (!client_.post(std::move(request), on_end))
    done(answer_of(attempt_outcome::failed, "too many requests under way in this node"));
}

}  // namespace troupe::app
