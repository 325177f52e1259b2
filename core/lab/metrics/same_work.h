#pragma once
#include <string>
#include <vector>

namespace faststar {

/// The settings in which two records of faststar (JSON, as files keep them) ask for another video: prompt, seed, size
/// and so on, as "prompt.prompt". Left out is what two versions of one video may differ in: how tokens are
/// reduced and guidance reused, how often video scales repeat, on which machine, and how the frames are stored.
std::vector<std::string> settings_apart(const std::string& a_json, const std::string& b_json);

}  // namespace faststar
