#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/pipeline/batch/run_batch.h"

namespace faststar {

/// Cuts bytes into lines, at LF or CRLF. A line of more than `limit` bytes is not kept.
class LineCutter {
 public:
  struct Line {
    std::string text;
    bool too_long = false;  ///< `text` is empty
  };

  explicit LineCutter(size_t limit) : limit_(limit) {}

  /// The lines that `bytes` complete.
  std::vector<Line> add(std::string_view bytes);
  /// At the end: the line that no LF followed; none when there is nothing.
  std::vector<Line> rest();

 private:
  Line cut();

  size_t limit_;
  std::string begun_;
  bool too_long_ = false;
};

/// The entries of a `.jsonl` list as another program writes them into a pipe. A thread reads ahead, so that the writer
/// never waits until a video is made. Blank lines are skipped; every other line is an entry and counts, also one that
/// cannot be read (BatchItem::problem). File names are relative to the current folder.
class EntryStream final : public ItemSource {
 public:
  static constexpr size_t kMaxLineBytes = size_t{1} << 20;

  /// Reads `file` to its end; `name` ("stdin") is what messages call it. Throws Error(internal) when there are too many
  /// files open.
  EntryStream(int file, std::string name, const ItemRules& rules);
  /// Does not wait for the writer.
  ~EntryStream() override;
  EntryStream(const EntryStream&) = delete;
  EntryStream& operator=(const EntryStream&) = delete;

  std::vector<BatchItem> take(std::chrono::milliseconds patience) override;
  bool ended() const override;
  /// Throws Error(input) when reading ended with an error.
  void check() const;

 private:
  void read_all();
  bool wait_for_bytes() const;
  void pass_on(std::vector<LineCutter::Line> lines, bool last);
  std::vector<BatchItem> items_of(LineCutter::Line line);

  int file_;
  int wake_;  ///< an eventfd: the reader shall end
  std::string name_;
  ItemRules rules_;
  int64_t lines_ = 0;    ///< taken
  int64_t entries_ = 0;  ///< taken
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<LineCutter::Line> waiting_;
  bool ended_ = false;  ///< nothing follows what waits
  int error_ = 0;       ///< errno of a read that failed
  std::thread reader_;
};

}  // namespace faststar
