#!/usr/bin/env python3
"""Looks up videos the way VBench's own scripts do, independently of `faststar batch --check`.

  scripts/vbench-check.py runs/vbench/videos VBench_full_info.json [--samples N]

For each dimension: the prompts that name it, in the folder that serves it, under exactly `{prompt}-{index}` and the
extension of whatever the folder lists first. Five videos a prompt, 25 for temporal_flickering; with --samples, N.
Prints what is not found and what nobody looks up. Exits 1 when anything is.
"""

import argparse
import json
import os
import pathlib
import sys

from vbench_lists import FOLDERS, run

DIMENSIONS = (
    "subject_consistency background_consistency temporal_flickering motion_smoothness dynamic_degree "
    "aesthetic_quality imaging_quality object_class multiple_objects human_action color spatial_relationship "
    "scene temporal_style appearance_style overall_consistency"
).split()


def look_up(folder: pathlib.Path, prompts: list[str], samples: int) -> tuple[set[str], list[str]]:
    """Names that are found, and those that are not."""
    listed = os.listdir(folder) if folder.is_dir() else []
    extension = pathlib.Path(listed[0]).suffix if listed else ".mp4"
    names = [f"{prompt}-{index}{extension}" for prompt in prompts for index in range(samples)]
    found = {name for name in names if name in listed and (folder / name).stat().st_size > 0}
    return found, [name for name in names if name not in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=pathlib.Path)
    parser.add_argument("info", type=pathlib.Path)
    parser.add_argument("--samples", type=int)
    arguments = parser.parse_args()
    entries = json.loads(arguments.info.read_text(encoding="utf-8"))
    looked_up: dict[pathlib.Path, set[str]] = {}
    gaps = 0
    for dimension in DIMENSIONS:
        folder = arguments.videos / FOLDERS.get(dimension, dimension)
        prompts = [entry["prompt_en"] for entry in entries if dimension in entry["dimension"]]
        samples = arguments.samples or (25 if dimension == "temporal_flickering" else 5)
        found, missing = look_up(folder, prompts, samples)
        looked_up.setdefault(folder, set()).update(found)
        print(f"{dimension}: {len(prompts)} prompts, {len(found)} videos, {len(missing)} missing")
        for name in missing:
            print(f"missing {folder / name}")
        gaps += len(missing)
    for folder in sorted(arguments.videos.iterdir()):
        for name in sorted(set(os.listdir(folder)) - looked_up.get(folder, set())):
            print(f"nobody looks up {folder / name}")
            gaps += 1
    print(f"{sum(len(names) for names in looked_up.values())} videos, {gaps} gaps")
    sys.exit(1 if gaps else 0)


if __name__ == "__main__":
    run(main)
