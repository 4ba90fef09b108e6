#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/cluster/allocation.hpp"
#include "runtime/store/cluster_store.hpp"

namespace troupe::cluster {

/// How soon nodes notice each other's deaths, and how shards move.
struct membership_options {
  std::chrono::milliseconds probe_every{200};
  /// A peer from which nothing has come for so long is suspected. Shorter notices stopped and
  /// cut-off nodes sooner, and takes more stalls for deaths: each costs the suspect a rejoin.
  std::chrono::milliseconds silence_max{1'000};
  /// A peer whose link has not come up for so long is suspected too.
  std::chrono::milliseconds link_within{3'000};
  /// Between two readings of the cluster's tables.
  std::chrono::milliseconds view_every{1'000};
  std::chrono::milliseconds leader_ttl{5'000};
  std::size_t moves_max = 4;
};

/// What members tell each other. Lost ones do no harm: they only make things faster, but for probes
/// and votes, which are repeated.
struct member_message {
  enum class what : std::uint8_t {
    probe = 1,     // I am here.
    suspect = 2,   // I have lost `life`.
    decided = 3,   // The leader `life` has written `decision`.
    released = 4,  // `life` no longer has `shard`: take it.
    look = 5,      // The tables have changed: read them.
  };
  what kind = what::probe;
  incarnation life{0};
  shard_id shard{0};
  std::int64_t version = 0;  // Of the decision.
  store::cluster_decision decision{};
};

/// What a membership asks of its surroundings. Every call returns at once.
class membership_world {
 public:
  virtual ~membership_world() = default;

  virtual void read() = 0;                                       // on_view, on_read_failed
  virtual void lead(store::cluster_decision what) = 0;           // on_led
  virtual void dial(const store::cluster_view::node& peer) = 0;  // on_linked, on_dial_failed
  virtual void send(incarnation peer, const member_message& what) = 0;
  /// Break the link to this peer, if there is one: it has been silent for too long, or is dead.
  virtual void forget(incarnation peer) = 0;
  /// Its lease ran out before anybody could judge it, for example because too many died at once.
  virtual void expired(const store::cluster_view::node& peer) = 0;

  /// Host this shard now: nobody alive has it.
  virtual void host(shard_id shard) = 0;  // on_lost, if another had it after all
  /// Drain it and give it back.
  virtual void hand_over(shard_id shard) = 0;  // on_released
  /// Where its messages go from now on; 0: nowhere yet.
  virtual void locate(shard_id shard, incarnation at) = 0;
};

/// One node's part in the cluster: who is alive, who leads, who has which shard. The database
/// decides; this makes it decide soon. Pure: time comes with the call, and the same calls lead to
/// the same answers.
///
/// Whoever judges a suspect is the leader, or, when the leader is the suspect or there is none, the
/// lowest id among those that the judge itself does not suspect. With three nodes or more alive a
/// second one must have lost it too. The judge writes the death and the new assignments in one
/// transaction, by which it takes the lead if need be.
class membership {
 public:
  membership(std::string id, incarnation life, const membership_options& options,
             membership_world& world);

  void on_tick(steady_time now);
  void on_view(store::cluster_view view, steady_time now);
  void on_read_failed();
  void on_led(store::cluster_store::led led, const store::cluster_decision& what, steady_time now);
  void on_linked(incarnation peer, steady_time now);
  void on_link_lost(incarnation peer, steady_time now);
  void on_dial_failed(incarnation peer, steady_time now);
  void on_message(incarnation from, const member_message& what, steady_time now);
  /// Something comes in from a peer, though not a message yet: it is not silent.
  void on_heard(incarnation from, steady_time now);
  void on_released(shard_id shard, steady_time now);
  void on_lost(shard_id shard, steady_time now);
  /// The tables may have changed.
  void on_look(steady_time now) { read(now); }
  /// Gives all shards away, as far as others are there to take them.
  void drain(steady_time now);

  bool leads() const { return view_.leader == life_ && life_ != incarnation(0); }
  const store::cluster_view& view() const { return view_; }
  /// Whether nothing is hosted any more.
  bool empty() const { return hosted_.empty(); }
  /// Whether another node could take shards.
  bool accompanied() const;
  bool linked(incarnation life) const;
  /// By the tables, which call a silent one alive until its death is written.
  bool alive(incarnation life) const;

 private:
  struct peer {
    bool up = false;
    bool dialing = false;
    steady_time heard{};  // While up; else since when it should be up.
    steady_time dial_at{};
    std::map<incarnation, steady_time> votes;  // By voter.
  };
  enum class hosting : std::uint8_t { hosted, leaving };

  const store::cluster_view::node* find(incarnation life) const;
  const store::cluster_view::node* find(const std::string& id) const;
  peer& peer_of(incarnation life, steady_time now);
  bool suspected(incarnation life) const;
  void look_at_leases(const store::cluster_view& next, steady_time now);
  void look_at_peers(steady_time now);
  void vote(incarnation suspect, steady_time now);
  bool first_in_line() const;
  bool condemned(incarnation suspect, steady_time now) const;
  void act(steady_time now);
  std::vector<store::cluster_decision::assignment> plan(const std::vector<incarnation>& dead) const;
  void take_in(const store::cluster_decision& what);
  void apply();
  void let_go(shard_id shard, incarnation of);
  void tell_all(const member_message& what);
  void read(steady_time now);

  const std::string id_;
  const incarnation life_;
  const membership_options options_;
  membership_world& world_;
  store::cluster_view view_;
  std::map<incarnation, peer> peers_;
  struct lease_end {
    steady_time seen;
    bool told = false;
  };
  std::map<incarnation, lease_end> expired_;  // Those that we saw alive.
  std::map<shard_id, hosting> hosted_;
  std::map<shard_id, incarnation> located_;
  std::vector<std::pair<shard_id, incarnation>> let_go_;  // During the reading that is under way.
  bool reading_ = false;
  bool read_again_ = false;
  bool deciding_ = false;
  bool draining_ = false;
  steady_time viewed_{};
  steady_time probed_{};
  steady_time led_{};
};

}  // namespace troupe::cluster
