#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "runtime/base/log.hpp"

namespace troupe {

// What operators choose. Defaults stand here; ranges and trade-offs stand in describe.cpp and, for
// operators, in config/reference.json, which is printed from both. A member's unit is its type's or
// stands behind it.

/// The log: where records come from and go to.
struct kafka_options {
  std::string brokers;                        // host:port,host:port
  std::uint32_t replication_factor = 1;       // Of topics that Troupe creates.
  std::string topic_prefix;                   // Stands before every topic's name.
  std::map<std::string, std::string> client;  // librdkafka settings of every client.
  bool create_topics = true;
  std::chrono::milliseconds retention{-1};  // Of topics that Troupe creates; -1: for ever.
};

/// The memory: ownership, states, results.
struct postgres_options {
  std::string dsn;  // May hold a password: print it through `without_password` only.
  std::uint32_t connections = 4;
  std::chrono::milliseconds statement_timeout{5000};
  std::chrono::seconds connect_timeout{3};
};

/// How long a node may be silent and still own its shards.
struct lease_options {
  std::chrono::milliseconds ttl{5000};
  std::chrono::milliseconds renewal{1000};
  std::chrono::milliseconds margin{500};  // A holder stops this long before its lease ends.
};

/// How soon nodes notice each other's deaths, and how shards move between the living.
struct membership_options {
  std::chrono::milliseconds probe{200};
  std::chrono::milliseconds silence_max{1000};
  std::uint32_t moves_max = 4;
};

/// When the states of log-fed entities are committed.
struct checkpoint_options {
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds output_delay{50};
  std::uint32_t catch_up_records = 20'000;
  std::uint32_t uncommitted_records_max = 500'000;
};

/// What to do when the log no longer holds the records that a shard wants next.
enum class truncation : std::uint8_t { stop, go_on };

/// The way in.
struct ingress_options {
  std::uint32_t batch_records_max = 10'000;
  std::uint32_t shard_inflight_max = 20'000;  // records
  std::uint32_t queued_kbytes_max = 65'536;
  truncation on_truncated = truncation::stop;
  std::uint32_t record_bytes_max = 1'048'576;
};

/// The way out.
struct egress_options {
  std::chrono::milliseconds linger{1};
  std::chrono::milliseconds message_timeout{5000};
  std::uint32_t outbox_max = 50'000;  // Undelivered rows of a shard.
};

/// Supervision and bounds of every entity.
struct entity_options {
  std::chrono::seconds idle_timeout{600};
  std::uint32_t inbox_max = 10'000;  // messages
  std::chrono::milliseconds request_timeout{5000};
  std::chrono::seconds requests_remembered{604'800};
  std::uint32_t restarts_per_minute_max = 10;
  std::uint32_t quarantine_after_restarts = 2;
  std::chrono::milliseconds restart_backoff{100};
  std::chrono::milliseconds restart_backoff_max{5000};
};

/// Identical on every node of a cluster.
struct cluster_options {
  std::string name = "troupe";
  std::uint32_t shards = 64;  // Fixed when the cluster is made.
  kafka_options kafka;
  postgres_options postgres;
  lease_options lease;
  membership_options membership;
  checkpoint_options checkpoint;
  ingress_options ingress;
  egress_options egress;
  entity_options entities;
};

/// Where a server listens.
struct endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

/// Who may speak to a node, and how it and its operators prove who they are. Paths are seen from
/// the folder of the node's file; once loaded, from where the program runs.
struct security_options {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string operator_certificate_file;
  std::string operator_key_file;
  std::string token;  // Never printed.
  std::string token_file;
  bool insecure = false;

  /// Links are encrypted, and both ends prove who they are.
  bool tls() const { return !ca_file.empty(); }
};

/// What is written down, and where.
struct log_options {
  log::level level = log::level::info;
  std::map<std::string, log::level> components;  // Those with a level of their own.
  std::string file;                              // Empty: standard error.
  std::uint32_t rate_max = 20;                   // Lines a second of one event; 0: no limit.
};

/// Free per node.
struct node_options {
  std::string cluster = "cluster.json";  // The cluster's file, seen from the node's.
  std::string id;
  endpoint admin{"127.0.0.1", 7401};
  endpoint http{"127.0.0.1", 7481};
  security_options security;
  log_options log;
  std::uint32_t threads = 0;  // 0: as many as cores.
};

}  // namespace troupe
