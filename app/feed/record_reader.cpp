#include "app/feed/record_reader.hpp"

#include <filesystem>
#include <stdexcept>

#include "app/feed/parsers.hpp"

namespace troupe::feed {

namespace {

using column_names = std::initializer_list<std::string_view>;

constexpr std::string_view allowed =
    "is no kind of file that can be fed. The first line must be a header with the columns "
    "ts_ms,symbol,price,size "
    "(trades), ts_ms,symbol,bid,bid_size,ask,ask_size (quotes) or date,open,high,low,close,volume "
    "(daily bars of the "
    "symbol that the file is named after, or of those in a column symbol), or already a record: "
    "`NANOSECONDS {frame}` or "
    "{\"type\": ...}";

const column_names trade_columns{"ts_ms", "symbol", "price", "size"};
const column_names quote_columns{"ts_ms", "symbol", "bid", "bid_size", "ask", "ask_size"};
const column_names daily_columns{"date", "open", "high", "low", "close", "volume"};

/// Those that are read; a file of no columns has none.
column_names columns_of(file_kind kind) {
  switch (kind) {
    case file_kind::trades:
      return trade_columns;
    case file_kind::quotes:
      return quote_columns;
    case file_kind::daily:
      return daily_columns;
    case file_kind::frames:
    case file_kind::records:
      return {};
  }
  return {};
}

std::string shown(std::string_view line) {
  std::string text(line.substr(0, 60));
  for (auto& c : text)
    if (c < ' ' || c == 127) c = '?';
  return text + (line.size() > 60 ? "..." : "");
}

}  // namespace

std::string_view name_of(file_kind kind) {
  switch (kind) {
    case file_kind::trades:
      return "trades";
    case file_kind::quotes:
      return "quotes";
    case file_kind::daily:
      return "daily bars";
    case file_kind::frames:
      return "frames";
    case file_kind::records:
      return "records";
  }
  return {};
}

std::optional<file_kind> kind_of(std::string_view line) {
  if (line.starts_with('{') && line.find(R"("type")") != std::string_view::npos)
    return file_kind::records;
  const auto digits = line.find_first_not_of("0123456789");
  if (digits != std::string_view::npos && digits > 0 && line.substr(digits).starts_with(" {"))
    return file_kind::frames;
  const columns header(line);
  for (const auto kind : {file_kind::trades, file_kind::quotes, file_kind::daily})
    if (header.has(columns_of(kind))) return kind;
  return std::nullopt;
}

std::string symbol_of_file(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).filename();
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  return name.stem().string();
}

std::unique_ptr<line_parser> make_parser(file_kind kind, std::string_view first_line,
                                         const std::string& path) {
  switch (kind) {
    case file_kind::trades:
      return make_trades_parser(columns(first_line));
    case file_kind::quotes:
      return make_quotes_parser(columns(first_line));
    case file_kind::daily:
      return make_daily_parser(columns(first_line), symbol_of_file(path));
    case file_kind::frames:
      return make_frames_parser();
    case file_kind::records:
      return make_records_parser();
  }
  return nullptr;
}

record_reader::record_reader(const std::string& path) : lines_(path) {
  std::string_view line;
  if (!lines_.next(line)) throw app::unusable_file(path + ": is empty");
  const auto at = path + ':' + std::to_string(lines_.number());
  const auto kind = kind_of(line);
  if (!kind) throw app::unusable_file(at + ": \"" + shown(line) + "\" " + std::string(allowed));
  kind_ = *kind;
  const columns header(line);
  auto twice = header.twice(columns_of(kind_));
  if (twice.empty() && kind_ == file_kind::daily) twice = header.twice({"symbol"});
  if (!twice.empty())
    throw app::unusable_file(at + ": the header has the column " + std::string(twice) + " twice");
  if (kind_ == file_kind::daily && !header.has({"symbol"}) && !good_symbol(symbol_of_file(path)))
    throw app::unusable_file(
        path + ": the file's name is no symbol (1 to 32 characters, no quotes, no backslash)");
  parser_ = make_parser(kind_, line, path);
  if (kind_ == file_kind::frames || kind_ == file_kind::records) first_ = std::string(line);
}

bool record_reader::next(record& to) {
  std::string_view line;
  std::string first;
  for (;;) {
    if (first_) {
      first = std::move(*first_);
      first_.reset();
      line = first;
    } else if (!lines_.next(line)) {
      return false;
    }
    const auto wrong =
        line.size() > line_source::line_max ? line_source::too_long : parser_->parse(line, to);
    if (wrong.empty()) return true;
    if (++bad_ <= bad_lines_kept) bad_lines_.push_back({lines_.number(), std::string(wrong)});
  }
}

}  // namespace troupe::feed
