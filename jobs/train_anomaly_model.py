"""Train what scores the days of agents and customers, on days that are over (docs/learning.md).

The same days, parameters and scikit-learn make the same model: then the version that is there stays.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.command_line import add_settings_arguments, day_of, run, settings_from
from jobs.lake import Lake
from jobs.learning.days import train


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `DependencyMissing` without scikit-learn, `NotFound` when the days hold too little."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="train_anomaly_model.py", description=__doc__, formatter_class=form)
    parser.add_argument("--from", dest="first", metavar="DAY", required=True, help="first day of event time (UTC)")
    parser.add_argument("--to", dest="end", metavar="DAY", required=True, help="the day after the last one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    lake = Lake(settings_from(arguments).lake_path)
    lake.must_exist()
    with lake.alone("learning", "learned from"):
        trained = train(lake, day_of("--from", arguments.first), day_of("--to", arguments.end))
    if arguments.json:
        print(json.dumps({"models": [{"is_new": model.is_new, **model.about} for model in trained]}))
        return 0
    for model in trained:
        metrics = model.about["metrics"]
        print(
            f"{model.name} {model.version} {'was trained' if model.is_new else 'is as before'}: "
            f"{metrics['days']:,} days in {metrics['currencies']} currencies, "
            f"outliers are above {metrics['outlier_above']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
