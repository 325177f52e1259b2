#include "core/pipeline/batch/batch_folder.h"

#include "core/pipeline/batch/fake_batch.h"

namespace faststar {

using test::TempDir;
using test::write_text;

TEST_CASE("a check names what is missing, cut short or does not belong", "[batch]") {
  const TempDir folder;
  const BatchRun run = test::batch_in(folder.path(), test::numbered_items(4));
  test::FakeRunner runner;
  test::run_quietly(run, runner);
  CHECK(check_coverage(run.folder, run.items).complete());
  std::filesystem::remove(run.folder.video(run.items[0]));
  std::filesystem::resize_file(run.folder.video(run.items[1]), 3);
  write_text(run.folder.video(run.items[2]), "");
  write_text(run.folder.videos() / "notes.txt", "x");
  write_text(run.folder.videos() / ".hidden.mp4.partial", "x");
  const Coverage coverage = check_coverage(run.folder, run.items);
  CHECK(coverage.expected == 4);
  CHECK(coverage.missing == std::vector<std::string>{"0001-prompt-1-0.mp4"});
  CHECK(coverage.damaged == std::vector<std::string>{"0002-prompt-2-0.mp4", "0003-prompt-3-0.mp4"});
  CHECK(coverage.foreign == std::vector<std::string>{".hidden.mp4.partial", "notes.txt"});
}

TEST_CASE("a check of a folder that was never begun misses everything", "[batch]") {
  const TempDir folder;
  const Coverage coverage = check_coverage(BatchFolder(folder / "none"), test::numbered_items(2));
  CHECK(coverage.missing.size() == 2);
}

}  // namespace faststar
