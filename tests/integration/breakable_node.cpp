// A node like any other, whose entities throw on what stands in the file `broken` beside its
// config, as a defect would: lines `KIND TYPE`, the type of a message, or `events` for those of a
// log. Without the file it is mended.
//   breakable_node --config FILE
#include <filesystem>
#include <fstream>

#include "tests/support/own_node.hpp"

namespace {

using namespace troupe;

std::string broken_file;

void throw_if_broken(const std::string& kind, const std::string& type) {
  std::ifstream in(broken_file);
  for (std::string line; std::getline(in, line);)
    if (line == kind + ' ' + type) throw std::runtime_error("a defect: " + line);
}

class breakable final : public entity {
 public:
  breakable(std::string kind, std::unique_ptr<entity> real)
      : kind_(std::move(kind)), real_(std::move(real)) {}
  void load(std::string_view state, int schema) override { real_->load(state, schema); }
  std::string save() const override { return real_->save(); }
  void handle(const message& what, const context& where, effects& out) override {
    throw_if_broken(kind_, what.type);
    real_->handle(what, where, out);
  }
  void absorb(const event_batch& events, std::size_t& done, effects& out) override {
    throw_if_broken(kind_, "events");
    real_->absorb(events, done, out);
  }
  std::vector<followed> follows() const override { return real_->follows(); }
  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override {
    if (what.events != nullptr) throw_if_broken(kind_, "events");
    real_->absorb_feed(what, done, where, out);
  }

 private:
  std::string kind_;
  std::unique_ptr<entity> real_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) broken_file = std::filesystem::path(argv[2]).parent_path() / "broken";
  return test::run_own_node(argc, argv, [](const app::settings& all) {
    auto things = app::make_catalog(all);
    for (auto& kind : things.kinds)
      kind.make = [name = kind.name, make = kind.make](const entity_id& id) {
        return std::make_unique<breakable>(name, make(id));
      };
    return things;
  });
}
