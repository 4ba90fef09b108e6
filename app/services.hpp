#pragma once

#include <map>
#include <string>

#include "runtime/base/ensure.hpp"
#include "runtime/entity/service_port.hpp"

namespace troupe::app {

/// Every service that entities call, by its name.
class services final : public service_port {
 public:
  /// `port` must outlive it.
  void add(std::string_view name, service_port& port) { ports_.emplace(name, &port); }
  void call(const effects::called& what, answered done) override {
    const auto found = ports_.find(what.service);
    ensure(found != ports_.end(), "every service that is called is there");
    found->second->call(what, std::move(done));
  }

 private:
  std::map<std::string, service_port*, std::less<>> ports_;
};

}  // namespace troupe::app
