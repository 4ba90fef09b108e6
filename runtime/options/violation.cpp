#include "runtime/options/violation.hpp"

namespace troupe {

std::string to_string(const violation& v) {
  std::string out = v.file;
  if (!v.field.empty()) out += ": " + v.field;
  if (!v.value.empty()) out += " = " + v.value;
  return out + ": " + v.allowed;
}

}  // namespace troupe
