#include "runtime/cluster/allocation.hpp"

#include <algorithm>
#include <map>

namespace troupe::cluster {

namespace {

class allocator {
 public:
  explicit allocator(const allocation_input& in) : in_(in), owner_(in.shards.size()) {
    for (const auto& n : in.nodes) nodes_[n.id] = &n;
    for (std::size_t i = 0; i < in.shards.size(); ++i) {
      owner_[i] = nodes_.contains(in.shards[i].assigned) ? in.shards[i].assigned : "";
      if (!owner_[i].empty()) ++load_[owner_[i]];
      if (in.shards[i].moving) ++moving_;
    }
  }

  std::vector<store::cluster_decision::assignment> run() {
    give_out_orphans();
    while (moving_ < in_.moves_max && move_one()) ++moving_;
    return std::move(changes_);
  }

 private:
  std::size_t load(const std::string& node) const {
    const auto it = load_.find(node);
    return it == load_.end() ? 0 : it->second;
  }

  /// The one that takes and has the fewest; null if none takes.
  const allocation_input::node* least() const {
    const allocation_input::node* best = nullptr;
    for (const auto& [id, n] : nodes_)
      if (n->takes && !n->gives && (best == nullptr || load(id) < load(best->id))) best = n;
    return best;
  }

  void assign(std::size_t shard, const std::string& to) {
    if (!owner_[shard].empty()) --load_[owner_[shard]];
    owner_[shard] = to;
    ++load_[to];
    changes_.push_back({shard_id(static_cast<std::uint32_t>(shard)), to});
  }

  void give_out_orphans() {
    for (std::size_t i = 0; i < owner_.size(); ++i)
      if (owner_[i].empty())
        if (const auto* to = least()) assign(i, to->id);
  }

  /// From a node that gives, else from the fullest.
  bool move_one() {
    const auto* to = least();
    if (to == nullptr) return false;
    const allocation_input::node* from = nullptr;
    for (const auto& [id, n] : nodes_)
      if (n->gives ? load(id) > 0 && (from == nullptr || !from->gives)
                   : from == nullptr || (!from->gives && load(id) > load(from->id)))
        from = n;
    if (from == nullptr || (!from->gives && load(from->id) < load(to->id) + 2)) return false;
    for (std::size_t i = owner_.size(); i-- > 0;)
      if (owner_[i] == from->id && !in_.shards[i].moving && !changed(i)) {
        assign(i, to->id);
        return true;
      }
    return false;
  }

  bool changed(std::size_t shard) const {
    return std::ranges::any_of(changes_, [&](const auto& c) { return c.shard.value() == shard; });
  }

  const allocation_input& in_;
  std::map<std::string, const allocation_input::node*> nodes_;
  std::map<std::string, std::size_t> load_;
  std::vector<std::string> owner_;
  std::size_t moving_ = 0;
  std::vector<store::cluster_decision::assignment> changes_;
};

}  // namespace

std::vector<store::cluster_decision::assignment> allocate(const allocation_input& in) {
  return allocator(in).run();
}

}  // namespace troupe::cluster
