#!/usr/bin/env python3
"""Text lists from VBench's own list of prompts, which its PyPI package carries.

  pip download --no-deps vbench==0.1.5
  scripts/vbench-prompts.py vbench-0.1.5-py3-none-any.whl prompts-vbench/

Writes VBench_full_info.json, all_dimension.txt and <folder>.txt, one a folder of prompts: `faststar batch FILE --vbench`
takes the first and the last. The source can also be a VBench_full_info.json, or an InfinityStar
VBench_rewrited_prompt.json: its refined prompts then become all_dimension_longer.txt, for --refined.
"""

import argparse
import json
import pathlib
import sys
import zipfile

from vbench_lists import FOLDERS, run

NAME = "VBench_full_info.json"


def read_list(source: pathlib.Path) -> bytes:
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    with zipfile.ZipFile(source) as wheel:
        for name in wheel.namelist():
            if name.endswith(f"/{NAME}"):
                return wheel.read(name)
    sys.exit(f"{source}: expected {NAME} in it, found none")


def write_lines(path: pathlib.Path, lines: list[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    print(f"{path}: {len(lines)} prompts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="the wheel, or the JSON file")
    parser.add_argument("folder", type=pathlib.Path, help="made where it is missing")
    arguments = parser.parse_args()
    data = read_list(arguments.source)
    entries = json.loads(data)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / NAME).write_bytes(data)
    write_lines(arguments.folder / "all_dimension.txt", [entry["prompt_en"] for entry in entries])
    if all("refined_prompt" in entry for entry in entries):
        refined = [" ".join(entry["refined_prompt"].split("\n")) for entry in entries]
        write_lines(arguments.folder / "all_dimension_longer.txt", refined)
    by_folder: dict[str, list[str]] = {}
    for entry in entries:
        for folder in {FOLDERS.get(dimension, dimension) for dimension in entry["dimension"]}:
            by_folder.setdefault(folder, []).append(entry["prompt_en"])
    for folder, prompts in sorted(by_folder.items()):
        write_lines(arguments.folder / f"{folder}.txt", prompts)


if __name__ == "__main__":
    run(main)
