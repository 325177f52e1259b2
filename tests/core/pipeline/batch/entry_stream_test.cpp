#include "core/pipeline/batch/entry_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "support/support.h"

namespace faststar {
namespace {

/// A pipe that a test writes into.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    end();
    close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reading_end() const { return ends_[0]; }
  void write(const std::string& text) const {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void end() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

/// The next `count` items, however slowly they come.
std::vector<BatchItem> take(EntryStream& stream, size_t count) {
  std::vector<BatchItem> items;
  while (items.size() < count && !stream.ended()) {
    for (BatchItem& item : stream.take(std::chrono::seconds(10))) items.push_back(std::move(item));
  }
  REQUIRE(items.size() == count);
  return items;
}

}  // namespace

TEST_CASE("an entry can be taken as soon as its line is whole, while the pipe stays open", "[batch]") {
  const Pipe pipe;
  EntryStream stream(pipe.reading_end(), "stdin", {.base_seed = 10});
  pipe.write(R"({"prompt": "a red ball", "id": "x)");
  CHECK(stream.take(std::chrono::milliseconds(1)).empty());
  pipe.write("7\"}\n");
  const BatchItem first = take(stream, 1)[0];
  CHECK(first.file == "0001-a-red-ball-0.mp4");
  CHECK(first.origin == "stdin:1");
  CHECK(first.id == "\"x7\"");
  CHECK(first.seed == 10);
  CHECK_FALSE(stream.ended());
  pipe.write("{\"prompt\": \"b\", \"image\": \"c.png\", \"seed\": 3, \"id\": 5}\n");
  const BatchItem second = take(stream, 1)[0];
  CHECK(second.id == "5");
  CHECK(second.seed == 3);
  CHECK(second.index == 1);
  CHECK(second.options.at("image") == "c.png");
}

TEST_CASE("every line that is not blank counts for names and seeds, also one that cannot be read", "[batch]") {
  Pipe pipe;
  EntryStream stream(pipe.reading_end(), "stdin", {.samples = 2, .base_seed = 100});
  pipe.write("\xef\xbb\xbf{\"prompt\": \"a\"}\r\n\n  \n{\"promt\": \"b\", \"id\": 4}\nno JSON\n{\"prompt\": \"c\"}");
  pipe.end();
  const auto items = take(stream, 6);
  CHECK(stream.ended());
  CHECK(items[1].file == "0001-a-1.mp4");
  CHECK(items[1].seed == 101);
  CHECK(items[1].sample == 1);
  CHECK(items[2].problem == "promt: not a key of a batch entry (the nearest key is prompt)");
  CHECK(items[2].origin == "stdin:4");
  CHECK(items[2].id == "4");
  CHECK(items[3].problem == "not valid JSON at character 2");
  CHECK(items[3].index == 2);  // one item, whatever --samples says
  CHECK(items[4].file == "0004-c-0.mp4");
  CHECK(items[4].seed == 106);
  CHECK(items[5].problem.empty());
}

TEST_CASE("an id is a string or a number", "[batch]") {
  Pipe pipe;
  EntryStream stream(pipe.reading_end(), "stdin", {});
  pipe.write("{\"prompt\": \"a\", \"id\": [1]}\n");
  pipe.end();
  CHECK(take(stream, 1)[0].problem == "id: expected a string or a number, got array");
}

TEST_CASE("a line that is too long is an entry with a problem, and the next one is read", "[batch]") {
  const Pipe pipe;
  EntryStream stream(pipe.reading_end(), "stdin", {});
  std::thread writer([&] {
    const std::string part(1 << 16, 'x');
    for (size_t size = 0; size <= EntryStream::kMaxLineBytes; size += part.size()) pipe.write(part);
    pipe.write("\n{\"prompt\": \"a\"}\n");
  });
  const auto items = take(stream, 2);
  writer.join();
  CHECK(items[0].problem == "expected at most 1048576 bytes in a line, got more");
  CHECK(items[1].file == "0002-a-0.mp4");
  CHECK(items[1].problem.empty());
}

TEST_CASE("a writer does not wait until its entries are taken", "[batch]") {
  Pipe pipe;
  EntryStream stream(pipe.reading_end(), "stdin", {});
  const std::string line = nlohmann::json({{"prompt", std::string(1000, 'a')}}).dump() + "\n";
  constexpr size_t kLines = 1000;  // more than any pipe holds
  for (size_t i = 0; i < kLines; ++i) pipe.write(line);
  pipe.end();
  CHECK(take(stream, kLines).back().index == kLines - 1);
}

TEST_CASE("a stream ends without waiting for its writer", "[batch]") {
  const Pipe pipe;
  const EntryStream stream(pipe.reading_end(), "stdin", {});
  CHECK_FALSE(stream.ended());
}

TEST_CASE("what cannot be read is an input error", "[batch]") {
  const test::TempDir folder;
  const int directory = open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(directory >= 0);
  EntryStream stream(directory, "stdin", {});
  CHECK(take(stream, 0).empty());
  while (!stream.ended()) stream.take(std::chrono::seconds(1));
  CHECK(test::error_of([&] { stream.check(); }).kind() == ErrorKind::input);
  close(directory);
}

}  // namespace faststar
