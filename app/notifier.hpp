#pragma once

#include "actors/ops/notification_channel.hpp"
#include "runtime/entity/service_port.hpp"
#include "runtime/http/client.hpp"

namespace troupe::app {

/// The services that notification channels call: `log` writes a line, `webhook` sends a signed
/// request. Neither ever waits.
class notifier final : public service_port {
 public:
  /// `options` must outlive it.
  explicit notifier(const ops::notification_options& options);
  void call(const effects::called& what, answered done) override;

 private:
  void post(const effects::called& what, answered done);

  const ops::notification_options& options_;
  http::client client_;
};

/// The request of one attempt: the body, its id, the time of the attempt in seconds since 1970 and
/// the signature of `TIME.BODY` under the channel's secret.
http::outgoing webhook_request(const ops::channel_options& channel, const std::string& id,
                               std::int64_t seconds, std::string body,
                               std::chrono::milliseconds timeout);

/// What a receiver's answer means: 2xx delivered; 4xx will never be taken, but for 408 and 429;
/// everything else may be later.
ops::attempt_outcome judge(const http::outcome& answer);

}  // namespace troupe::app
