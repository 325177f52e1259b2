#pragma once
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace faststar {

/// How fast a device runs one model. A rate without a value is not known.
struct Rates {
  std::optional<double> linear;         ///< FLOP/s of the matrix products of the transformer's layers
  std::optional<double> fp8_linear;     ///< the same in E4M3
  std::optional<double> attention;      ///< FLOP/s of attention
  std::optional<double> fp8_attention;  ///< the same in E4M3
  std::optional<double> pass;           ///< seconds that a pass takes at least
  std::optional<double> row;            ///< seconds of a pass for each token of each guidance row, beside the above
  std::optional<double> text;           ///< FLOP/s of the text encoder
  std::optional<double> decoder;        ///< FLOP/s of the VAE's decoder
  std::optional<double> encoder;        ///< FLOP/s of its encoder
  std::optional<double> file;           ///< seconds that a pixel of a frame takes after its decode
  std::optional<double> video;          ///< seconds of a video outside of its stages
  std::optional<double> load;           ///< bytes/s of loading weights
  std::optional<double> start;          ///< seconds more of the first video of a process

  bool operator==(const Rates&) const = default;
};

/// A rate and its name in files.
struct NamedRate {
  const char* name;
  std::optional<double> Rates::*value;
};
inline constexpr std::array<NamedRate, 13> kRates = {{{"linear", &Rates::linear},
                                                      {"fp8_linear", &Rates::fp8_linear},
                                                      {"attention", &Rates::attention},
                                                      {"fp8_attention", &Rates::fp8_attention},
                                                      {"pass", &Rates::pass},
                                                      {"row", &Rates::row},
                                                      {"text", &Rates::text},
                                                      {"decoder", &Rates::decoder},
                                                      {"encoder", &Rates::encoder},
                                                      {"file", &Rates::file},
                                                      {"video", &Rates::video},
                                                      {"load", &Rates::load},
                                                      {"start", &Rates::start}}};

/// `rates`, and those of `standard` where it has none.
Rates with_standard(Rates rates, const Rates& standard);

/// What measured rates are valid for.
struct RatesKey {
  std::string device;     ///< "NVIDIA H200"; of a CPU its name and the number of threads
  std::string network;    ///< layers and width of the transformer: "36x4096"
  std::string precision;  ///< "bf16"
  std::string attention;  ///< who attends in long passes: "fa3"
  std::string kernels;    ///< "auto"
  std::string program;    ///< version of this program

  bool operator==(const RatesKey&) const = default;
};

/// The rates that `faststar bench` measured on this machine: a JSON file in the user's cache folder.
class RatesFile {
 public:
  /// rates.json in $XDG_CACHE_HOME/faststar, else in ~/.cache/faststar; nothing without a home folder.
  static std::optional<std::filesystem::path> standard_path();

  /// Reads the file if there is one. A file that cannot be understood is warned about and ignored.
  explicit RatesFile(std::optional<std::filesystem::path> path = standard_path());

  const std::optional<std::filesystem::path>& path() const { return path_; }
  /// Without any value when nothing was measured.
  Rates find(const RatesKey& key) const;
  /// The rates of `key` from now on, where `rates` has values. Drops what other versions of the program measured.
  void set(const RatesKey& key, const Rates& rates);
  /// Throws Error(output).
  void write() const;

 private:
  struct Entry {
    RatesKey key;
    Rates rates;
  };
  std::optional<std::filesystem::path> path_;
  std::vector<Entry> entries_;
};

}  // namespace faststar
