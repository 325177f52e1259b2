// `faststar batch -` from outside, through pipes that stay open.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run;
using test::TempDir;

const std::vector<std::string> kFromStdin = {"batch",      "-",  "--random-weights", "--config", "tiny",
                                             "--duration", "1",  "--device",         "cpu",      "--progress",
                                             "none",       "-q", "--seed",           "7"};

/// The program in `folder`, its stdin and stdout in our hands.
class PipedBatch {
 public:
  PipedBatch(const TempDir& folder, std::vector<std::string> arguments) {
    int in[2], out[2];
    REQUIRE((pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0));
    arguments.insert(arguments.begin(), test::program());
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      std::signal(SIGINT, SIG_DFL);  // whoever started the tests may have it ignored
      const bool ready = chdir(folder.path().c_str()) == 0 && dup2(in[0], STDIN_FILENO) == STDIN_FILENO &&
                         dup2(out[1], STDOUT_FILENO) == STDOUT_FILENO &&
                         dup2(open("err", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), STDERR_FILENO) == STDERR_FILENO;
      if (ready) execv(words[0], words.data());
      _exit(127);
    }
    REQUIRE(process_ > 0);
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  ~PipedBatch() {
    std::signal(SIGPIPE, pipe_handler_);
    end_input();
    stop_reading();
    if (process_ > 0) {
      kill(process_, SIGKILL);
      exit_code();
    }
  }
  PipedBatch(const PipedBatch&) = delete;
  PipedBatch& operator=(const PipedBatch&) = delete;

  void write(const std::string& text) const {
    REQUIRE(::write(in_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void end_input() { close_once(in_); }
  void stop_reading() { close_once(out_); }
  void interrupt() const { kill(process_, SIGINT); }

  /// The next line of stdout.
  json result() {
    constexpr int kMilliseconds = 120'000;
    for (size_t end; (end = text_.find('\n')) == std::string::npos;) {
      pollfd output{.fd = out_, .events = POLLIN, .revents = 0};
      REQUIRE(poll(&output, 1, kMilliseconds) == 1);
      char block[4096];
      const ssize_t size = read(out_, block, sizeof(block));
      REQUIRE(size > 0);
      text_.append(block, static_cast<size_t>(size));
    }
    const std::string line = text_.substr(0, text_.find('\n'));
    text_.erase(0, line.size() + 1);
    return json::parse(line);
  }

  int exit_code() {
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  static void close_once(int& file) {
    if (file >= 0) close(file);
    file = -1;
  }

  void (*pipe_handler_)(int) = std::signal(SIGPIPE, SIG_IGN);  // a program that ended early fails a check, no more
  pid_t process_ = -1;
  int in_ = -1, out_ = -1;
  std::string text_;
};

size_t lines_of(const fs::path& file) {
  const std::string text = test::read_text(file);
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("each entry of stdin gets its result while the pipe stays open, and the same lines again make nothing",
          "[cli][slow]") {
  const TempDir folder;
  const std::string ball = "{\"prompt\": \"a red ball\", \"id\": \"first\"}\n";
  {
    PipedBatch batch(folder, kFromStdin);
    batch.write(ball);
    const json first = batch.result();
    CHECK(first["status"] == "done");
    CHECK(first["id"] == "first");
    CHECK(first["seed"] == 7);
    CHECK(first["file"] == "runs/stdin/videos/0001-a-red-ball-0.mp4");
    CHECK(first["error"].is_null());
    CHECK(first["seconds"].get<double>() > 0);
    CHECK(fs::exists(folder / first["file"].get<std::string>()));
    batch.write("\nno JSON\n");
    const json second = batch.result();
    CHECK(second["index"] == 1);
    CHECK(second["status"] == "failed");
    CHECK(second["error"] == "stdin:3: not valid JSON at character 2");
    batch.write("{\"prompt\": \"a blue box\"}");
    batch.end_input();  // the last line needs no line end
    CHECK(batch.result()["seed"] == 9);
    CHECK(batch.exit_code() == 1);
  }
  CHECK(lines_of(folder / "runs/stdin/manifest.jsonl") == 3);

  PipedBatch again(folder, kFromStdin);
  again.write(ball);
  const json found = again.result();
  CHECK(found["status"] == "done");
  CHECK(found["seconds"] == 0);
  again.end_input();
  CHECK(again.exit_code() == 0);
  CHECK(lines_of(folder / "runs/stdin/manifest.jsonl") == 3);
}

TEST_CASE("when nobody reads the results, the batch ends after the video at hand, which stays", "[cli][slow]") {
  const TempDir folder;
  PipedBatch batch(folder, kFromStdin);
  batch.stop_reading();
  batch.write("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n");
  CHECK(batch.exit_code() == 6);
  CHECK(fs::exists(folder / "runs/stdin/videos/0001-a-0.mp4"));
  CHECK_FALSE(fs::exists(folder / "runs/stdin/videos/0002-b-0.mp4"));
  CHECK(lines_of(folder / "runs/stdin/manifest.jsonl") == 1);
}

TEST_CASE("Ctrl-C ends a batch that waits for entries", "[cli][slow]") {
  const TempDir folder;
  PipedBatch batch(folder, kFromStdin);
  batch.write("{}\n");
  CHECK(batch.result()["error"] == "stdin:1: prompt: expected a string, got nothing");
  batch.interrupt();
  CHECK(batch.exit_code() == 130);
}

TEST_CASE("no entries are no failure, and options of a list are refused", "[cli]") {
  const TempDir folder;
  const auto none = run(folder, "batch - --random-weights --config tiny --duration 1 --device cpu </dev/null");
  CHECK(none.exit_code == 0);
  CHECK(none.out.empty());
  const std::string option = GENERATE(as<std::string>{}, "--check", "--vbench", "--shard 1/2", "--devices 0,1",
                                      "--refined x.txt", "--images x");
  const auto refused = run(folder, "batch - --random-weights --config tiny " + option);
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.error, ContainsSubstring("error: " + option.substr(0, option.find(' ')) + ": "));
  CHECK_THAT(refused.error, ContainsSubstring("reads entries from stdin"));
}

TEST_CASE("processes of a launcher cannot share stdin", "[cli]") {
  const TempDir folder;
  const auto refused =
      run(folder, "batch - --random-weights --config tiny", "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1");
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.error, ContainsSubstring("SLURM_PROCID"));
}

}  // namespace faststar
