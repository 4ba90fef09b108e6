#include "app/commands/help.hpp"

#include <map>
#include <string>
#include <string_view>

#include "app/commands/command_line.hpp"

namespace troupe::app {

namespace {

/// What stands below the options of each command, by its full name.
const std::map<std::string, std::string_view> footers{
    {"",
     "Begin with ./quickstart; docs/ explains the rest. `troupe COMMAND --help` explains a\n"
     "command. --config names any node of the cluster that is meant; --json is for programs.\n"
     "Exit codes: 0 done; 1 refused or failed, with `NAME: what and what to do` on standard\n"
     "error (with --json {\"error\", \"detail\"} on standard output); 2 wrong arguments."},
    {"node",
     "Example: troupe node --config config/local/node-1.json\n"
     "Needs a migrated database (`troupe migrate`) and Kafka. Ctrl-C lets its shards go to the\n"
     "others first; kill -9 does no harm."},
    {"node drain",
     "Example: troupe node drain node-2\n"
     "It stays a member of the cluster; `troupe status` shows the shards on their way, `troupe\n"
     "node undrain node-2` ends it."},
    {"node undrain", "Example: troupe node undrain node-2"},
    {"node forget",
     "Example: troupe node forget node-3\n"
     "Only of one that is stopped. Started again it is a member as before."},
    {"status",
     "Example: troupe status --watch\n"
     "A line PROBLEM for everything that is wrong; docs/operations.md has remedies. Counts are\n"
     "since each node's process began."},
    {"health",
     "Example: troupe health --config config/local/node-2.json && echo fine\n"
     "Asks the one node of --config about itself; exit code 0 when it is healthy and ready."},
    {"leader", "Example: troupe leader"},
    {"shard",
     "Example: troupe shard list; troupe shard show 3; troupe shard move 3 --to node-2\n"
     "There are as many as the cluster's file says (`shards`, 64 unless it says otherwise)."},
    {"shard list",
     "Example: troupe shard list\n"
     "lag: records in the log that are not applied yet; uncommitted: applied, and not yet safe;\n"
     "undelivered: messages that nobody has acknowledged."},
    {"shard show", "Example: troupe shard show 3"},
    {"shard move",
     "Example: troupe shard move 3 --to node-2\n"
     "It stays there as long as no difference of two shards between nodes arises."},
    {"entity",
     "Example: troupe entity list --kind portfolio; troupe entity show portfolio/p1\n"
     "An entity is KIND/KEY: symbol/SPY, session/s1, risk/p1, portfolio/p1, paper_venue/SPY,\n"
     "notification/CHANNEL."},
    {"entity list",
     "Example: troupe entity list --kind symbol --after symbol/SPY --limit 50\n"
     "Reads PostgreSQL: it works with all nodes down."},
    {"entity show", "Example: troupe entity show symbol/SPY"},
    {"up",
     "Example: troupe up --nodes 3\n"
     "Kafka and PostgreSQL must run (`deploy/services start`). Repeating it starts what does not\n"
     "run; `troupe down` with the same --dir stops them."},
    {"down", "Example: troupe down"},
    {"symbol", "Example: troupe symbol list; troupe symbol show SPY"},
    {"symbol list", "Example: troupe symbol list --json"},
    {"symbol show", "Example: troupe symbol show SPY"},
    {"session",
     "Example:\n"
     "  troupe session create --name s1 --portfolio p1 --strategy sma_cross --symbols SPY,IBM\n"
     "  troupe session start s1\n"
     "  troupe session show s1\n"
     "docs/trading.md has a tour, docs/strategies.md the strategies and their parameters."},
    {"session create",
     "Example: troupe session create --name s1 --portfolio p1 --strategy sma_cross \\\n"
     "    --symbols SPY,IBM --param fast=10 --param slow=20 --size 100 --from beginning\n"
     "A portfolio that is not open begins with trading.cash of the cluster's file."},
    {"session start", "Example: troupe session start s1"},
    {"session pause", "Example: troupe session pause s1"},
    {"session resume", "Example: troupe session resume s1"},
    {"session stop", "Example: troupe session stop s1"},
    {"session delete", "Example: troupe session delete s1"},
    {"session list", "Example: troupe session list"},
    {"session show", "Example: troupe session show s1"},
    {"session trades", "Example: troupe session trades s1 --limit 20"},
    {"risk",
     "Example: troupe risk show p1; troupe risk halt p1 --reason \"fire drill\"\n"
     "docs/orders.md has all limits and codes."},
    {"risk show", "Example: troupe risk show p1"},
    {"risk set",
     "Example: troupe risk set p1 open_orders_max=5 symbols.SPY.position_max=100 \\\n"
     "    --reason \"earnings\"\n"
     "Money and quantities are decimals with at most 8 places; docs/orders.md has all limits."},
    {"risk halt", "Example: troupe risk halt p1 --reason \"fire drill\""},
    {"risk reduce", "Example: troupe risk reduce p1 --reason \"end of day\""},
    {"risk resume", "Example: troupe risk resume p1"},
    {"portfolio", "Example: troupe portfolio open p1 --cash 250000; troupe portfolio show p1"},
    {"portfolio list", "Example: troupe portfolio list"},
    {"portfolio show", "Example: troupe portfolio show p1 --json"},
    {"portfolio open",
     "Example: troupe portfolio open p1 --cash 250000.50\n"
     "One that is not opened here begins with trading.cash of the cluster's file when its first\n"
     "session is created; until then it has no money for orders by hand."},
    {"order",
     "Example: troupe order list --portfolio p1 --open; troupe order cancel p1-3\n"
     "docs/orders.md has forms, codes and the life of an order."},
    {"order list", "Example: troupe order list --portfolio p1 --open --limit 20"},
    {"order submit",
     "Example: troupe order submit --portfolio p1 '{\"session\": \"by-hand\", \"number\": 1,\n"
     "    \"symbol\": \"SPY\", \"side\": \"buy\", \"type\": \"limit\", \"limit\": \"99.5\",\n"
     "    \"amount\": \"10\", \"decided\": {\"time\": '$(date +%s%6N)', \"last\": \"100\"}}'\n"
     "number grows with each order of a session; decided is when (microseconds since 1970) and at\n"
     "what market. Decimals are texts with at most 8 places. docs/orders.md has all fields."},
    {"order cancel", "Example: troupe order cancel p1-3"},
    {"notification",
     "Example: troupe notification list; troupe notification test lines\n"
     "The cluster's file names channels and rules; docs/notifications.md."},
    {"notification list", "Example: troupe notification list"},
    {"notification show", "Example: troupe notification show lines"},
    {"notification test", "Example: troupe notification test lines --wait 10"},
    {"quarantine",
     "Example: troupe quarantine list; troupe quarantine retry 7\n"
     "An input is set aside when its entity fails on it for the third time: a defect."},
    {"quarantine list", "Example: troupe quarantine list --all"},
    {"quarantine retry", "Example: troupe quarantine retry 7"},
    {"quarantine purge", "Example: troupe quarantine purge --all"},
    {"config",
     "Example: troupe config check config/local/node-1.json; troupe config reference\n"
     "docs/configuration.md explains the files."},
    {"config check", "Example: troupe config check config/local/node-1.json"},
    {"config reference", "Example: troupe config reference > reference.json"},
    {"migrate",
     "Example: troupe migrate --config config/local/node-1.json\n"
     "Once before the first start of a cluster, and before nodes of a newer program."},
    {"certs",
     "Example:\n"
     "  troupe certs init --cluster troupe\n"
     "  troupe certs node node-1 node-2 node-3\n"
     "  troupe certs operator alice\n"
     "Then name them in the nodes' files: see docs/operations.md."},
    {"certs init",
     "Example: troupe certs init --cluster troupe\n"
     "Makes ca.crt for everybody and ca.key, which can make any node and operator: keep it safe."},
    {"certs node", "Example: troupe certs node node-1 node-2 --host 10.0.0.5"},
    {"certs operator", "Example: troupe certs operator alice"},
    {"certs show", "Example: troupe certs show var/certs/node-1.crt"},
    {"feed",
     "Example: troupe feed SPY-trades.csv.gz IBM-quotes.csv.gz --config config/local/node-1.json\n"
     "Several files are merged by time. Stopped or killed, the same files in the same order go on\n"
     "where they were, also with another --limit. A file that was fed before with other files is\n"
     "refused (already_sent); one that has changed (size or time) counts as another file. Lines\n"
     "that cannot be used are told of and left out; nothing but such lines is refused.\n"
     "docs/market-data.md has the formats."},
    {"generate",
     "Example: troupe generate --symbols 200 --rows 1000000 --config config/local/node-1.json\n"
     "         troupe generate --symbols 1 --rows 100000 --rate 20 --out walk.csv\n"
     "A second run goes on where the first one stopped: nothing comes late or twice. With another\n"
     "--state folder it begins anew, and symbols that are further refuse its rows: see column\n"
     "refused of `troupe symbol list`."},
    {"topic", "Example: troupe topic list"},
    {"topic list",
     "Example: troupe topic list --config config/local/node-1.json\n"
     "records: ends of all partitions together. committed: of topics that come in, the records\n"
     "whose effects are committed; of topics that go out, those that were committed to be\n"
     "published. difference: records - committed. Coming in, it is the work that is still to do.\n"
     "Going out, it is below 0 while records wait to be published, 0 when each of them is out,\n"
     "and above 0 by as many as were published twice (readers know these by the header seq).\n"
     "Reads Kafka and PostgreSQL: it works with all nodes down."},
    {"topic delete",
     "Example: troupe topic delete market.bars market.indicators\n"
     "For a database that was restored from a backup: the topics then tell more than it knows,\n"
     "and no shard starts until they are gone (docs/operations.md, Backup). Refused while a node\n"
     "is alive."},
    {"backtest",
     "Example: troupe backtest --strategy sma_cross --data SPY.csv --param fast=10 \\\n"
     "             --param slow=20 --fee-bps 5\n"
     "         troupe backtest --strategy sma_cross --data SPY.csv --sweep fast=5:50:5 \\\n"
     "             --sweep slow=20:200:20 --config config/local/node-1.json\n"
     "Money, quantities and basis points are decimals with at most 8 places. docs/backtest.md has\n"
     "the rules of fills and the conventions of the figures, docs/strategies.md the parameters."},
};

/// Breaks lines between words.
class help_formatter final : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(CLI::Formatter::make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* sub) const override {
    std::stringstream out;
    CLI::detail::format_help(out, sub->get_name(), wrapped(sub->get_description()),
                             get_column_width());
    return out.str();
  }

 private:
  std::string wrapped(const std::string& text) const {
    constexpr std::size_t width = 66;  // Beside the names.
    std::string out;
    std::size_t used = 0;
    std::istringstream words(text);
    for (std::string word; words >> word; used += word.size() + 1) {
      if (used > 0 && used + word.size() > width) {
        out += '\n';
        used = 0;
      } else if (used > 0) {
        out += ' ';
      }
      out += word;
    }
    return out;
  }
};

void teach(CLI::App& command) {
  if (const auto found = footers.find(full_name(command)); found != footers.end())
    command.footer(std::string(found->second));
  for (auto* sub : command.get_subcommands([](CLI::App* s) { return !s->get_name().empty(); }))
    teach(*sub);
}

void format(CLI::App& command, const std::shared_ptr<help_formatter>& how) {
  command.formatter(how);
  for (auto* sub : command.get_subcommands([](CLI::App*) { return true; })) format(*sub, how);
}

}  // namespace

void add_help(CLI::App& app) {
  format(app, std::make_shared<help_formatter>());
  teach(app);
}

}  // namespace troupe::app
