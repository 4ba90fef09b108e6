#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// A strict reader of Prometheus' text format 0.0.4, written from the format's description and
/// sharing nothing with the writer.
struct exposition {
  struct sample {
    std::string name;
    std::map<std::string, std::string> labels;
    double value = 0;
  };
  struct family {
    std::string help;
    std::string type;
    std::vector<sample> samples;
  };

  std::map<std::string, family> families;

  /// The value of the only series of this name with these labels; throws std::out_of_range when
  /// there is none.
  double value(const std::string& name,
               const std::map<std::string, std::string>& labels = {}) const;
};

/// Throws std::runtime_error with the line and the rule that it breaks.
exposition parse_exposition(std::string_view text);
