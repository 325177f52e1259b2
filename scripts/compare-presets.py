#!/usr/bin/env python3
"""The paper's comparison: one list of prompts, made by each preset with the same seeds, and how far it is from dense.

  scripts/compare-presets.py VBench_full_info.json --vbench --out runs/presets -- --model weights --seed 1
  scripts/compare-presets.py prompts/shapes.txt --embedded --out runs/presets -- --seed 1

For each preset `faststar batch` makes the videos, `faststar compare` gives PSNR and SSIM to the same video of the first
preset (LPIPS too, with --lpips-backbone and --lpips-linear), and with --evaluate VBench's own evaluator scores them.
Words after -- go to `faststar batch`. The table is in OUT/comparison.md. The same command again resumes.

--embedded compares the same settings with the embedded model, without FP8. --evaluate needs the command `vbench` of
the PyPI package of that name, and a GPU. FASTSTAR_PROGRAM names the program (faststar).
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

PRESETS = "720p,faststar-720p,turbo,realtime"
EMBEDDED = {
    "dense": {},
    "faststar": {"reduction": {"method": "faststar", "ratios": [0.2, 0.3, 0.4, 0.7]}},
    "turbo": {
        "reduction": {"method": "faststar", "ratios": [0.2, 0.3, 0.4, 0.7]},
        "guidance": {"guidance_reuse": "late"},
    },
    "realtime": {
        "reduction": {"method": "faststar", "ratios": [0.3, 0.4, 0.5, 0.75]},
        "guidance": {"guidance_reuse": "late", "guidance_reuse_scales": "last15", "guidance_reuse_weight": 0},
        "output": {"preset": "veryfast"},
    },
}
# dimension -> folder of its videos, where it is not its own (dimension_to_folder.json of VBench)
DIMENSIONS = {
    "subject_consistency": "",
    "background_consistency": "scene",
    "temporal_flickering": "",
    "motion_smoothness": "subject_consistency",
    "dynamic_degree": "subject_consistency",
    "aesthetic_quality": "overall_consistency",
    "imaging_quality": "overall_consistency",
    "object_class": "",
    "multiple_objects": "",
    "human_action": "",
    "color": "",
    "spatial_relationship": "",
    "scene": "",
    "temporal_style": "",
    "appearance_style": "",
    "overall_consistency": "",
}
PROGRAM = os.environ.get("FASTSTAR_PROGRAM", "faststar")


def parse_arguments() -> argparse.Namespace:
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=pathlib.Path, help="what `faststar batch` takes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/presets"))
    parser.add_argument("--presets", help=f"presets or YAML files, the first is compared with ({PRESETS})")
    parser.add_argument("--embedded", action="store_true", help="these settings with the embedded model")
    parser.add_argument("--vbench", action="store_true", help="VBench's file names and sample counts")
    parser.add_argument("--evaluate", action="store_true", help="VBench's evaluator; needs --vbench")
    parser.add_argument("--lpips-backbone", help="torchvision's alexnet or vgg16")
    parser.add_argument("--lpips-linear", help="the lpips package's alex.pth or vgg.pth")
    arguments = parser.parse_args(words[:split])
    arguments.batch = words[split + 1 :]
    if arguments.evaluate and not arguments.vbench:
        parser.error("--evaluate needs --vbench: the evaluator looks videos up by name")
    if arguments.evaluate and not shutil.which("vbench"):
        parser.error("--evaluate: no command vbench; pip install vbench")
    if bool(arguments.lpips_backbone) != bool(arguments.lpips_linear):
        parser.error("LPIPS needs both --lpips-backbone and --lpips-linear")
    if "--seed" not in " ".join(arguments.batch):
        parser.error("give all presets one seed: -- --seed 1")
    if arguments.embedded and arguments.presets:
        parser.error("--embedded has variants of its own: leave out --presets")
    if not shutil.which(PROGRAM):
        parser.error(f"no program {PROGRAM}: put it on the PATH, or name it in FASTSTAR_PROGRAM")
    return arguments


def configurations(arguments: argparse.Namespace) -> dict[str, str]:
    """Name of each variant -> what --config gets."""
    if not arguments.embedded:
        return {pathlib.Path(preset).stem: preset for preset in (arguments.presets or PRESETS).split(",")}
    files = {name: arguments.out / f"{name}.yaml" for name in EMBEDDED}
    for name, file in files.items():
        file.write_text(json.dumps(EMBEDDED[name]) + "\n")  # JSON is YAML
    return {name: str(file) for name, file in files.items()}


def run(command: list, good: tuple[int, ...] = (0,), **options) -> subprocess.CompletedProcess:
    """Ends this program where a command fails, which has said why."""
    done = subprocess.run([str(word) for word in command], text=True, **options)
    if done.returncode not in good:
        sys.exit(f"error: exit code {done.returncode}: {' '.join(str(word) for word in command)}")
    return done


def make_videos(arguments: argparse.Namespace, name: str, config: str) -> None:
    print(f"{name}: videos", file=sys.stderr, flush=True)
    vbench = ["--vbench"] if arguments.vbench else []
    command = [PROGRAM, "batch", arguments.list, *vbench, "--config", config, "-o", arguments.out / name]
    run([*command, *arguments.batch], good=(0, 1), stdout=subprocess.DEVNULL)  # 1: single videos failed


def read_lines(file: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def compare_videos(arguments: argparse.Namespace, name: str, dense: str) -> None:
    """One line of OUT/NAME/compare.jsonl a video; those that are there are not measured again.

    The first frame is from the image clip, which these presets leave as it is.
    """
    results = arguments.out / name / "compare.jsonl"
    known = {line["file"] for line in read_lines(results)}
    lpips = []
    if arguments.lpips_backbone:
        lpips = ["--lpips-backbone", arguments.lpips_backbone, "--lpips-linear", arguments.lpips_linear]
    videos = arguments.out / name / "videos"
    for video in sorted(videos.rglob("*.mp4")):
        file = str(video.relative_to(videos))
        reference = arguments.out / dense / "videos" / file
        if file in known or not reference.exists():
            continue
        done = run([PROGRAM, "compare", reference, video, "--skip", 1, "--json", *lpips], stdout=subprocess.PIPE)
        with results.open("a") as lines:
            lines.write(json.dumps({"file": file, **json.loads(done.stdout)}) + "\n")


def evaluate(arguments: argparse.Namespace, name: str) -> None:
    """VBench's evaluator, dimension by dimension; one whose result is there is not run again."""
    root = arguments.out / name
    for dimension, folder in DIMENSIONS.items():
        videos = root / "videos" / (folder or dimension)
        result = root / "vbench" / f"{dimension}_eval_results.json"
        if result.exists() or not videos.is_dir():
            continue
        print(f"{name}: {dimension}", file=sys.stderr, flush=True)
        if dimension == "temporal_flickering":  # of static videos alone
            run(["vbench", "static_filter", "--videos_path", videos, "--result_path", root / "static"])
            videos = root / "static" / "filtered_videos"
        command = ["vbench", "evaluate", "--videos_path", videos, "--dimension", dimension]
        run([*command, "--full_json_dir", arguments.list, "--output_path", root / "vbench"])


def seconds_of(root: pathlib.Path) -> list[float]:
    """Of each finished video, all its stages but loading: the first one loads for all."""
    by_file = {}
    for line in read_lines(root / "manifest.jsonl"):
        if line.get("seconds"):
            by_file[line["file"]] = sum(value for stage, value in line["seconds"].items() if stage != "load")
    return list(by_file.values())


def mean(values: list) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table(out: pathlib.Path, names: list[str]) -> str:
    scores = {name: {} for name in names}
    for name in names:
        for file in sorted((out / name / "vbench").glob("*_eval_results.json")):
            scores[name].update({key: value[0] for key, value in json.loads(file.read_text()).items()})
    dimensions = sorted({dimension for of_one in scores.values() for dimension in of_one})
    head = ["preset", "videos", "median, s", "speed-up", "PSNR, dB", "SSIM", "LPIPS", *dimensions]
    lines = [head, ["---"] * len(head)]
    dense_seconds = None
    for name in names:
        seconds = seconds_of(out / name)
        compared = read_lines(out / name / "compare.jsonl")
        median = statistics.median(seconds) if seconds else None
        dense_seconds = dense_seconds or median
        lines.append(
            [
                name,
                str(len(seconds)),
                cell(median, 2),
                cell(dense_seconds / median if median else None, 2),
                cell(mean([line["psnr_mean"] for line in compared]), 2),
                cell(mean([line["ssim_mean"] for line in compared]), 4),
                cell(mean([line["lpips_mean"] for line in compared]), 4),
                *[cell(scores[name].get(dimension), 4) for dimension in dimensions],
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    configs = configurations(arguments)
    dense = next(iter(configs))
    for name, config in configs.items():
        make_videos(arguments, name, config)
        if name != dense:
            compare_videos(arguments, name, dense)
        if arguments.evaluate:
            evaluate(arguments, name)
    text = table(arguments.out, list(configs))
    (arguments.out / "comparison.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped; the same command again resumes", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
