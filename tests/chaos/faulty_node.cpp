// A node like any other, but for its symbols: now and then one throws in the middle of its events,
// as a defect would.
//   faulty_node --config FILE --throw-every N      every N-th batch of a process
//   faulty_node --config FILE --throw-on OFFSET    always on the event of that offset
#include <CLI/CLI.hpp>
#include <atomic>

#include "app/catalog.hpp"
#include "app/node.hpp"

namespace {

using namespace troupe;

std::atomic<std::int64_t> batches{0};
std::int64_t throw_every = 0;
std::int64_t throw_on = -1;

class faulty_symbol final : public entity {
 public:
  explicit faulty_symbol(std::unique_ptr<entity> real) : real_(std::move(real)) {}
  void load(std::string_view state, int schema) override { real_->load(state, schema); }
  std::string save() const override { return real_->save(); }
  void handle(const message& what, const context& where, effects& out) override {
    real_->handle(what, where, out);
  }
  void absorb(const event_batch& events, std::size_t& done, effects& out) override {
    real_->absorb(events, done, out);
    if (throw_every > 0 && ++batches % throw_every == 0) {
      done = events.size() / 2;
      throw std::runtime_error("a defect, now and then");
    }
    for (std::size_t i = 0; i < events.size(); ++i)
      if (events.at(i).value() == throw_on) {
        done = i;
        throw std::runtime_error("a defect, always on this event");
      }
  }

 private:
  std::unique_ptr<entity> real_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App command("A node whose symbols throw");
  std::string file;
  command.add_option("--config", file)->required();
  command.add_option("--throw-every", throw_every);
  command.add_option("--throw-on", throw_on);
  CLI11_PARSE(command, argc, argv);
  const auto all = app::load_settings(file);
  if (!all) return 1;
  log::set_file(all->node.log.file);
  auto things = app::make_catalog(*all);
  for (auto& kind : things.kinds)
    kind.make = [make = kind.make](const entity_id& id) {
      return std::make_unique<faulty_symbol>(make(id));
    };
  app::run_node(*all, things);
}
