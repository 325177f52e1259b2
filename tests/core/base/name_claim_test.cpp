#include "core/base/name_claim.h"

#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

namespace faststar {
namespace {

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
