"""What the scripts about VBench's lists of prompts share."""

import sys
from collections.abc import Callable

# dimension_to_folder.json of VBench: the dimensions that have no prompts of their own
FOLDERS = {
    "background_consistency": "scene",
    "aesthetic_quality": "overall_consistency",
    "imaging_quality": "overall_consistency",
    "motion_smoothness": "subject_consistency",
    "dynamic_degree": "subject_consistency",
}


def run(main: Callable[[], None]) -> None:
    """Runs `main`; a missing or foreign file ends it with one line."""
    try:
        main()
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        sys.exit("error: not a list of prompts in VBench's format")
