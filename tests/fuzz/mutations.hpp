#pragma once

#include <random>
#include <string>
#include <vector>

namespace troupe::fuzz {

/// The files of a folder, in the order of their names.
std::vector<std::string> corpus_of(const std::string& folder);

/// One input of the corpus with a few small damages: a bit, a byte, a digit, a cut, a repetition,
/// or a piece of another input. At most 8 KiB.
std::string damaged_one(const std::vector<std::string>& corpus, std::mt19937& random);

}  // namespace troupe::fuzz
