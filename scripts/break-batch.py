#!/usr/bin/env python3
"""Breaks `faststar batch` in the ways in which long runs break, and checks that nothing is lost.

  scripts/break-batch.py kills [--processes 2] [--rounds 20]
      SIGKILL at random times; of two processes on one folder, one is killed and started again
  scripts/break-batch.py crashes
      SIGKILL before and after every call that renames, flushes or removes a file and every line of the manifest, and
      with half of the line written; needs a C compiler (cc)
  scripts/break-batch.py disk
      `t2v` and `batch` on disks of nine sizes that fill up; needs root or user namespaces (unshare)
  scripts/break-batch.py long [--videos 1000]
      memory, threads and descriptors of one long batch

After each of them the same command ends with 0, and so does --check; every video has one line in the manifest, which
says that it is finished, and the frames of a run that nobody disturbed; no file is left beside videos, settings,
manifest and locks. On a full disk there is also no half video, and the line that decodes kept codes makes the video.

The model is the embedded one with one layer of 32 channels and random weights. Prints rows of a Markdown table. The
exit code is 1 when anything was lost; then the files stay. FASTSTAR_PROGRAM names another program than the build's.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAM = Path(os.environ.get("FASTSTAR_PROGRAM", HERE.parent / ".faststar/build/cli/faststar")).resolve()
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("FASTSTAR_")}
ARCHITECTURE = """
architecture:
  transformer: {layers: 1, hidden_size: 32, heads: 1, kv_heads: 1, head_dim: 32, ffn_width: 32, chunks: 1,
                text_rows: 64}
  text_encoder: {hidden_size: 32, heads: 1, head_dim: 32, ffn_width: 32, layers: 1, vocabulary: 900}
  vae: {channels: [8, 16, 16, 16, 16]}
"""
LOSSLESS, SMALL = ["--lossless"], ["--preset", "ultrafast", "--crf", "51"]
PROMPTS = [f"a {colour} {shape}" for shape in ("ball", "square", "triangle", "star", "ring", "heart", "cross")
           for colour in ("red", "green", "blue", "yellow", "white", "black", "orange", "purple")]
# Writes the names of the calls to BREAK_LOG, and kills the process before, half way through or after call BREAK_AT.
LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int calls;
static int is_at(int call, const char* when) {
  const char *at = getenv("BREAK_AT"), *wanted = getenv("BREAK_WHEN");
  return at && wanted && call == atoi(at) && !strcmp(wanted, when);
}
static void die_if(int dies) { if (dies) { kill(getpid(), SIGKILL); pause(); } }
static int begin(const char* name) {
  char line[40];
  const int call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST), length = snprintf(line, sizeof line, "%s\n", name);
  const int log = syscall(SYS_openat, AT_FDCWD, getenv("BREAK_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0666);
  syscall(SYS_write, log, line, length);
  syscall(SYS_close, log);
  die_if(is_at(call, "before"));
  return call;
}
#define WATCH(name, parameters, arguments) \
  int name parameters { \
    int(*real) parameters = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
    const int call = begin(#name), result = real arguments; \
    die_if(is_at(call, "after")); \
    return result; \
  }
WATCH(rename, (const char* a, const char* b), (a, b))
WATCH(renameat2, (int a, const char* b, int c, const char* d, unsigned e), (a, b, c, d, e))
WATCH(fsync, (int a), (a))
WATCH(remove, (const char* a), (a))
WATCH(unlink, (const char* a), (a))
ssize_t write(int file, const void* data, size_t bytes) {
  char link[40], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const int line = readlink(link, path, sizeof path - 1) > 0 && strstr(path, "manifest.jsonl");
  const int call = line ? begin("write") : 0, half = line && is_at(call, "half");
  const ssize_t written = syscall(SYS_write, file, data, half ? bytes / 2 : bytes);
  die_if(half || (line && is_at(call, "after")));
  return written;
}
"""


class Bench:
    """A folder with the small model and a list of prompts, and the program's runs in it."""

    def __init__(self, videos, encoding):
        self.root = Path(tempfile.mkdtemp(prefix="break-batch-"))
        self.encoding, self.videos, self.lost, self.where = encoding, videos, 0, ""
        self.temporary, self.disk = self.root / "tmp", self.root / "disk"
        self.temporary.mkdir()
        self.disk.mkdir()
        tiny = (HERE.parent / "configs/tiny/model.yaml").read_text().split("\narchitecture:")[0]
        once = str([1] * 11)
        (self.root / "mini.yaml").write_text(re.sub("(_repetitions: ).*", rf"\g<1>{once}", tiny) + ARCHITECTURE)
        (self.root / "list.txt").write_text("".join(PROMPTS[i % len(PROMPTS)] + "\n" for i in range(videos)))

    def settings(self):
        return ["--config", "mini.yaml", "--random-weights", "--duration", "1", "--seed", "1", "--no-metadata",
                "--progress", "none", *self.encoding]

    def batch(self, folder, *words):
        return ["batch", "list.txt", "-o", folder, *self.settings(), *words]

    def start(self, words, **environment):
        with open(self.root / "errors.txt", "w") as errors:
            return subprocess.Popen([PROGRAM, *words], cwd=self.root, stdout=subprocess.DEVNULL, stderr=errors,
                                    env=ENVIRONMENT | {"TMPDIR": str(self.temporary)} | environment)

    def run(self, words, **environment):
        return self.start(words, **environment).wait()

    def make_whole(self, *words, **environment):
        """The run that nobody disturbs; its folder."""
        if self.run(self.batch("whole", *words), **environment) != 0:
            sys.exit(f"cannot make a batch: {self.errors()}")
        return self.root / "whole"

    def errors(self):
        return (self.root / "errors.txt").read_text()

    def expect(self, holds, message):
        if not holds:
            self.lost += 1
            print(f"LOST: {self.where}: {message}", file=sys.stderr, flush=True)

    def expect_frames(self, video, expected):
        alike = video.exists() and video.read_bytes() == expected.read_bytes()
        if not alike and video.exists():
            result = subprocess.run([PROGRAM, "compare", video, expected, "--json"], capture_output=True)
            found = json.loads(result.stdout) if result.returncode == 0 else {}
            alike = found.get("identical_frames", 0) == found.get("frames", -1)
        self.expect(alike, f"{video.name}: not the frames of an undisturbed run")

    def expect_whole(self, name, *words, kept_codes=0, expected=None):
        """Runs the same command again, and checks everything in its folder."""
        codes = self.run(self.batch(name, *words)), self.run(self.batch(name, "--check"))
        self.expect(codes == (0, 0), f"the same command again and --check: exit codes {codes}: {self.errors()}")
        if codes != (0, 0):
            return
        folder = self.root / name
        lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        files = sorted(line["file"] for line in lines if line["status"] == "finished")
        self.expect(len(lines) == len(set(files)) == self.videos, f"{len(lines)} lines, finished: {files}")
        left = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
        known = {"config.yaml", "manifest.jsonl", "partial/locks", *(f"videos/{file}" for file in files)}
        missing, left = known - left, left - known
        codes = {file for file in left if re.fullmatch(r"codes/[0-9a-f]{16}\.safetensors", file)}
        left |= {str(path) for path in self.temporary.iterdir()}
        self.expect(not missing and len(codes) == kept_codes and left == codes, f"missing {missing}, left {left}")
        for file in files if expected else []:
            self.expect_frames(folder / "videos" / file, expected / "videos" / file)


def kills(bench, options):
    began = time.monotonic()
    whole = bench.make_whole()
    length = time.monotonic() - began
    hit = midway = 0
    for number in range(options.rounds):
        delay = random.uniform(0.05, length * 1.2 if options.processes == 2 else length)
        bench.where = f"round {number}, kill after {delay:.2f} s"
        running = [bench.start(bench.batch("broken")) for _ in range(options.processes)]
        time.sleep(delay)
        victim = random.choice(running)
        hit += victim.poll() is None
        victim.kill()
        victim.wait()
        midway += any(any((bench.root / "broken" / part).glob("*[0-9a-f].*")) for part in ("codes", "partial"))
        if options.processes == 2:
            running[running.index(victim)] = bench.start(bench.batch("broken"))
            codes = [process.wait() for process in running]
            bench.expect(codes == [0, 0], f"exit codes {codes}: {bench.errors()}")
        bench.expect_whole("broken", expected=whole)
        shutil.rmtree(bench.root / "broken")
    yield (f"{options.rounds} kills, {options.processes} process" + "es" * (options.processes - 1),
           f"list of {bench.videos} that takes {length:.1f} s; {hit} hit a running process, {midway} left half a video")


def crashes(bench, options):
    log = bench.root / "calls.txt"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", bench.root / "crash.so", "-ldl"],
                   input=LIBRARY.encode(), check=True)
    environment = {"LD_PRELOAD": str(bench.root / "crash.so"), "BREAK_LOG": str(log)}
    whole = bench.make_whole(**environment)
    names = log.read_text().split()
    points = [(number, name, when) for number, name in enumerate(names, 1)
              for when in ["before", "after"] + ["half"] * (name == "write")]
    for number, name, when in points:
        bench.where = f"{when} call {number} ({name})"
        code = bench.run(bench.batch("broken"), BREAK_AT=str(number), BREAK_WHEN=when, **environment)
        bench.expect(code == -9, f"did not crash, exit code {code}: {bench.errors()}")
        bench.expect_whole("broken", expected=whole)
        shutil.rmtree(bench.root / "broken")
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    yield f"{len(points)} crashes", f"list of {bench.videos}; {len(names)} calls ({counts})"


def mount(bench, kibibytes, *words):
    words = ",".join([f"size={kibibytes}k", *words])
    subprocess.run(["mount", "-t", "tmpfs", "-o", words, "tmpfs", bench.disk], check=True)


def expect_error(bench, code):
    errors = bench.errors()
    bench.expect(code in (0, 6) and errors.count("error: ") == (code == 6), f"exit code {code}: {errors}")
    return errors


def full_disk_video(bench, whole):
    expected = next((whole / "videos").glob("0001-*"))
    made = bench.disk / expected.name
    code = bench.run(["t2v", "-p", PROMPTS[0], *bench.settings(), "-o", made])
    errors = expect_error(bench, code)
    kept = [*bench.temporary.iterdir(), *bench.disk.glob("*.codes.safetensors")]
    others = set(bench.disk.iterdir()) - set(kept)
    bench.expect(len(kept) == (code == 6) and others == ({made} if code == 0 else set()), f"left: {kept}, {others}")
    if code == 6:
        mount(bench, 100000, "remount")
        line = re.search(r"`faststar (decode .*?)` finishes it", errors)
        subprocess.run(f"{PROGRAM} {line[1] if line else ''}", shell=True, cwd=bench.root, capture_output=True,
                       env=ENVIRONMENT)
        for path in kept:
            path.unlink()
    bench.expect_frames(made, expected)
    return code


def full_disk_batch(bench, whole):
    code = bench.run(bench.batch("disk/run", "--keep-codes"))
    expect_error(bench, code)
    for video in (bench.disk / "run/videos").glob("*"):
        bench.expect_frames(video, whole / "videos" / video.name)
    mount(bench, 100000, "remount")
    bench.expect_whole("disk/run", "--keep-codes", kept_codes=bench.videos, expected=whole)
    return code


def disk(bench, options):
    whole = bench.make_whole("--keep-codes")
    needs = {full_disk_video: next((whole / "videos").glob("0001-*")).stat().st_size,
             full_disk_batch: sum(path.stat().st_size for path in whole.rglob("*"))}
    for make, need in needs.items():
        full, room = [], []
        for least, share in enumerate((0.04, 0.1, 0.25, 0.45, 0.65, 0.85, 0.97, 1.1, 1.8), 1):
            size = 4 * max(least, round(need * share / 4096))
            bench.where = f"{make.__name__}, {' '.join(bench.encoding)}, disk of {size} KiB"
            mount(bench, size)
            (full if make(bench, whole) == 6 else room).append(str(size))
            subprocess.run(["umount", bench.disk], check=True)
        yield (f"{make.__name__.replace('_', ' ')}, `{' '.join(bench.encoding)}`, {need / 1024:.0f} KiB",
               f"exit code 6 at {', '.join(full)} KiB, 0 at {', '.join(room)} KiB")


def long(bench, options):
    process, began, readings = bench.start(bench.batch("long")), time.monotonic(), []
    manifest, files = bench.root / "long/manifest.jsonl", Path(f"/proc/{process.pid}/fd")
    while process.poll() is None:
        time.sleep(0.1)
        if manifest.exists() and manifest.read_bytes().count(b"\n") >= 50 * (len(readings) + 1):
            status = files.with_name("status").read_text()
            if "VmRSS" in status:  # it has not just ended
                memory, threads = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads"))
                readings.append((memory / 1000, threads, len(list(files.iterdir()))))
                print("{}: {:.0f} MB, {} threads, {} descriptors".format(50 * len(readings), *readings[-1]),
                      file=sys.stderr, flush=True)
    took = time.monotonic() - began
    bench.expect(process.returncode == 0, f"exit code {process.returncode}: {bench.errors()}")
    bench.expect_whole("long")
    quarter, texts = max(1, len(readings) // 4), []
    for name, values in zip(("MB resident", "threads", "descriptors"), zip(*readings)):
        first, last = sum(values[:quarter]) / quarter, sum(values[-quarter:]) / quarter
        texts.append(f"{min(values):.0f} to {max(values):.0f} {name} (mean of the first quarter of the readings "
                     f"{first:.1f}, of the last {last:.1f})")
        bench.expect(last <= 1.1 * first + 1, f"grows: {texts[-1]}")
    yield f"batch of {bench.videos:,} videos", f"all made in {took:.0f} s; {', '.join(texts)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    killing = commands.add_parser("kills", help="SIGKILL at random times")
    killing.add_argument("--processes", type=int, choices=(1, 2), default=1, help="on one folder (1)")
    killing.add_argument("--rounds", type=int, default=20, help="number of kills (20)")
    commands.add_parser("crashes", help="SIGKILL around every call that changes a file")
    commands.add_parser("disk", help="disks that fill up")
    commands.add_parser("long", help="one long batch").add_argument("--videos", type=int, default=1000, help="(1000)")
    options = parser.parse_args()
    if options.command == "disk" and "BREAK_BATCH_MOUNTS" not in os.environ:
        os.environ["BREAK_BATCH_MOUNTS"] = "private"  # they vanish when this script ends
        namespace = ["--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
        os.execvp("unshare", ["unshare", *namespace, sys.executable, *sys.argv])
    benches = {"kills": [(5, LOSSLESS)], "crashes": [(3, LOSSLESS)], "long": [(getattr(options, "videos", 0), SMALL)],
               "disk": [(2, LOSSLESS), (2, ["--crf", "17"]), (2, SMALL)]}
    lost = 0
    for videos, encoding in benches[options.command]:
        bench = Bench(videos, encoding)
        for what, result in globals()[options.command](bench, options):
            verdict = f"**{bench.lost} lost**, see {bench.root}" if bench.lost else "nothing lost"
            print(f"| {what} | `scripts/break-batch.py {' '.join(sys.argv[1:])}` | {result}: {verdict} |", flush=True)
        lost += bench.lost
        if not bench.lost:
            shutil.rmtree(bench.root)
    sys.exit(lost > 0)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: `{' '.join(map(str, error.cmd))}` failed")
    except KeyboardInterrupt:
        sys.exit("stopped")
