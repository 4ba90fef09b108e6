#include "app/feed/generator_journal.hpp"

#include <iostream>

#include "app/failure.hpp"
#include "runtime/base/fingerprint.hpp"

namespace troupe::feed {

namespace {

using nlohmann::json;

json to_json(const generator_state& s) {
  return {{"seed", s.seed},
          {"random", s.random},
          {"time", s.time_us},
          {"last_id", s.last_id},
          {"mids", s.mids}};
}

generator_state state_of(const json& j) {
  return {j.at("seed").get<std::uint64_t>(), j.at("random").get<std::uint64_t>(),
          j.at("time").get<std::int64_t>(), j.at("last_id").get<std::int64_t>(),
          j.at("mids").get<std::vector<std::int64_t>>()};
}

/// Where a run of `reserved` would have ended.
generator_state end_of(const json& reserved, generator_state from) {
  const generator_shape shape{reserved.at("symbols").get<std::uint32_t>(),
                              reserved.at("seed").get<std::uint64_t>(),
                              reserved.at("rate").get<double>()};
  const auto begin = from.time_us;
  tick_generator made(shape, std::move(from), begin);
  for (auto rows = reserved.at("rows").get<std::uint64_t>(); rows > 0; --rows) made.next();
  return made.state();
}

}  // namespace

generator_journal::generator_journal(const std::string& folder, const std::string& cluster)
    : file_(folder, "generate-" + fingerprint(cluster) + ".json") {}

std::optional<generator_state> generator_journal::load() const {
  const auto found = file_.load();
  if (!found) return std::nullopt;
  try {
    auto at = state_of(found->at("at"));
    if (!found->contains("reserved")) return at;
    std::cerr << "the last run did not end; going on after all that it could have made\n";
    return end_of(found->at("reserved"), std::move(at));
  } catch (const json::exception&) {
    throw app::unusable_file(file_.path() + ": is damaged; delete it to begin anew");
  }
}

void generator_journal::reserve(const generator_shape& shape, const generator_state& from,
                                std::uint64_t rows) const {
  file_.save(
      {{"at", to_json(from)},
       {"reserved",
        {{"symbols", shape.symbols}, {"seed", shape.seed}, {"rate", shape.rate}, {"rows", rows}}}});
}

void generator_journal::finish(const generator_state& at) const {
  file_.save({{"at", to_json(at)}});
}

}  // namespace troupe::feed
