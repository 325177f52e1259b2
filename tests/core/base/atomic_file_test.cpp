#include "core/base/atomic_file.h"

#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

ErrorKind kind_of_check(const fs::path& path, Existing existing = Existing::refuse) {
  return test::error_of([&] { check_writable(path, existing); }).kind();
}

TEST_CASE("a file has its name only once it is whole", "[files]") {
  const test::TempDir folder;
  {
    AtomicFile file(folder / "a.txt", Existing::refuse);
    test::write_text(file.temporary(), "half");
    CHECK_FALSE(fs::exists(folder / "a.txt"));
  }
  CHECK(files_in(folder.path()) == 0);
  write_file(folder / "a.txt", "whole", Existing::refuse);
  CHECK(test::read_text(folder / "a.txt") == "whole");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("two long names that begin alike are written at the same time", "[files]") {
  const test::TempDir folder;
  const std::string stem(200, 'v');
  CHECK(claim_file(folder / (stem + ".mp4")) != claim_file(folder / (stem + ".codes.safetensors")));
  {
    AtomicFile video(folder / (stem + ".mp4"), Existing::refuse);
    write_file(folder / (stem + ".codes.safetensors"), "codes", Existing::refuse);
    test::write_text(video.temporary(), "video");
    video.commit();
  }
  CHECK(test::read_text(folder / (stem + ".mp4")) == "video");
  CHECK(test::read_text(folder / (stem + ".codes.safetensors")) == "codes");
  CHECK(files_in(folder.path()) == 2);
}

TEST_CASE("what a killed run left of a long name goes at the next run", "[files]") {
  const test::TempDir folder;
  test::write_text(temporary_name(folder / (std::string(251, 'v') + ".mp4")), "half a video");
  remove_leftovers(folder / "other.mp4");
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("an existing file is kept unless it may be replaced", "[files]") {
  const test::TempDir folder;
  test::write_text(folder / "a.txt", "old");
  CHECK(test::error_of([&] { write_file(folder / "a.txt", "new", Existing::refuse); }).kind() == ErrorKind::output);
  CHECK(test::read_text(folder / "a.txt") == "old");
  write_file(folder / "a.txt", "new", Existing::replace);
  CHECK(test::read_text(folder / "a.txt") == "new");
}

TEST_CASE("a file that replaces a link replaces what the link leads to", "[files]") {
  const test::TempDir folder, disk;
  test::write_text(disk / "a.txt", "old");
  fs::create_symlink(disk / "a.txt", folder / "far.txt");
  fs::create_symlink("far.txt", folder / "link.txt");
  CHECK(test::error_of([&] { write_file(folder / "link.txt", "x", Existing::refuse); }).kind() == ErrorKind::output);
  write_file(folder / "link.txt", "new", Existing::replace);
  CHECK(fs::is_symlink(folder / "link.txt"));
  CHECK(test::read_text(disk / "a.txt") == "new");
  fs::create_symlink(disk / "missing" / "b.txt", folder / "nowhere.txt");
  CHECK(kind_of_check(folder / "nowhere.txt", Existing::replace) == ErrorKind::output);
  CHECK(files_in(disk.path()) == 1);
}

TEST_CASE("a file that appears while another is written is not overwritten", "[files]") {
  const test::TempDir folder;
  AtomicFile file(folder / "a.txt", Existing::refuse);
  test::write_text(file.temporary(), "ours");
  test::write_text(folder / "a.txt", "theirs");
  CHECK(test::error_of([&] { file.commit(); }).kind() == ErrorKind::output);
  CHECK(test::read_text(folder / "a.txt") == "theirs");
}

TEST_CASE("places that cannot be written are found before any work", "[files]") {
  const test::TempDir folder;
  CHECK(kind_of_check(folder / "missing" / "a.txt") == ErrorKind::output);
  CHECK(kind_of_check(folder.path()) == ErrorKind::output);
  CHECK(kind_of_check("/proc/a.txt") == ErrorKind::output);
  test::write_text(folder / "p.png", "");
  const Error in_file = test::error_of([&] { check_writable(folder / "p.png" / "o.mp4", Existing::refuse); });
  CHECK(test::says(in_file, (folder / "p.png").string() + " is a file, not a folder"));
  std::filesystem::remove(folder / "p.png");
  check_writable(folder / "a.txt", Existing::refuse);
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("a stopped run removes its unfinished files and no others", "[atomic_file]") {
  const test::TempDir folder;
  test::write_text(folder / "kept.mp4", "whole");
  AtomicFile unfinished(folder / "video.mp4", Existing::refuse);
  test::write_text(unfinished.temporary(), "half");
  const TemporaryPath frames(folder / "frames.partial");
  fs::create_directory(frames.path());
  test::write_text(frames.path() / "000000.png", "");
  remove_temporary_paths();
  CHECK_FALSE(fs::exists(unfinished.temporary()));
  CHECK_FALSE(fs::exists(frames.path()));
  CHECK(fs::exists(folder / "kept.mp4"));
}

TEST_CASE("a link that was planted under a temporary name is not followed", "[files]") {
  const test::TempDir folder;
  test::write_text(folder / "victim", "kept");
  const fs::path output = folder / "a.txt";
  for (const char* ending : {"", ".check"}) {
    fs::create_symlink(folder / "victim", temporary_name(output).string() + ending);
    fs::create_symlink(folder / "new", temporary_name(folder / "b.txt").string() + ending);
  }
  write_file(output, "whole", Existing::refuse);
  check_writable(folder / "b.txt", Existing::refuse);
  CHECK(test::read_text(output) == "whole");
  CHECK_FALSE(fs::is_symlink(output));
  CHECK(test::read_text(folder / "victim") == "kept");
  CHECK_FALSE(fs::exists(folder / "new"));
}

TEST_CASE("what killed runs left goes at the next run, and what others write or own stays", "[files]") {
  const test::TempDir folder;
  for (const char* name : {".a.mp4.1.partial", ".a.mp4.1.partial.check", ".other-7.mp4.99999999.partial"}) {
    test::write_text(folder / name, "left");
  }
  fs::create_directory(folder / ".a.mp4.2.partial");
  test::write_text(folder / ".a.mp4.2.partial/000000.png", "left");
  const std::vector<std::string> kept = {".notes.1.partial", "a.mp4.1.partial", ".a.mp4.x.partial", ".mp4", "b.mp4"};
  for (const std::string& name : kept) test::write_text(folder / name, "kept");
  test::write_text(folder / ".c.mp4.3.partial", "written by another");
  TemporaryPath other(folder / ".c.mp4.3.partial");
  REQUIRE(other.hold());
  write_file(folder / "a.mp4", "whole", Existing::refuse);
  for (const std::string& name : kept) CHECK(fs::exists(folder / name));
  CHECK(fs::exists(other.path()));
  CHECK(files_in(folder.path()) == kept.size() + 2);
}

TEST_CASE("a name is claimed once, until its claim goes", "[files]") {
  const test::TempDir folder;
  {
    const auto first = NameClaim::take(folder / "v.mp4");
    REQUIRE(first);
    CHECK_FALSE(NameClaim::take(folder / "v.mp4"));
    CHECK(NameClaim::take(folder / "w.mp4"));
    const Error taken = test::error_of([&] { claim_name(folder / "v.mp4", Existing::refuse); });
    CHECK(taken.kind() == ErrorKind::output);
    CHECK(test::says(taken, "v.mp4: another run is making this file"));
    CHECK_FALSE(claim_name(folder / "v.mp4", Existing::replace));
  }
  CHECK(NameClaim::take(folder / "v.mp4"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("the claim of a killed process does not count, and is swept", "[files]") {
  const test::TempDir folder;
  const pid_t child = fork();
  if (child == 0) {
    NameClaim::take(folder / "v.mp4").swap(*new std::shared_ptr<const NameClaim>);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  CHECK(std::filesystem::exists(claim_file(folder / "v.mp4")));
  {
    const auto held = NameClaim::take(folder / "v.mp4");
    CHECK(held);
    remove_leftovers(folder / "x.mp4");
    CHECK(std::filesystem::exists(claim_file(folder / "v.mp4")));
  }
  test::write_text(claim_file(folder / "v.mkv"), "");
  remove_leftovers(folder / "x.mkv");
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace faststar
