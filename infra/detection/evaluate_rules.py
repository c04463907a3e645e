"""What the fraud rules are worth: precision and recall of the lake's alerts, by a manifest of planted cases.

The cases are those that `python -m producers.simulation --fraud-per-million N --fraud-manifest FILE` has planted into
what was then produced and streamed (docs/detection.md).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.detection.evidence import COLUMNS
from infra.detection.judging import Report, judged
from infra.detection.report import add_form_arguments, shown
from infra.detection.truth import read_manifest
from jobs.alerts.rulebook import read_rules
from jobs.alerts.typologies import read_typologies
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from schemas.tables import ALERTS, SILVER


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures: 0, whatever they are."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="momo evaluate", description=__doc__, formatter_class=form)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="what --fraud-manifest wrote")
    add_form_arguments(parser)
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    lake.must_exist()
    # A lake of an earlier version has no alerts.
    lake.create()
    sys.stdout.write(shown(evaluation_of(lake, arguments.manifest, settings.rules_path), arguments.form))
    return 0


def evaluation_of(lake: Lake, manifest: Path, rules: Path) -> Report:
    """The figures of a lake by a manifest and a folder of rules."""
    cases = read_manifest(manifest)
    completed = lake.query(f"SELECT {', '.join(COLUMNS)} FROM {SILVER.name} WHERE status = 'completed'")
    alerts = lake.query(f"""
        SELECT alert_id, rule_id, state, entity, score, window_start, window_end, first_event_time,
            transaction_references, reason
        FROM {ALERTS.name}
    """)
    known = read_rules(rules)
    return judged(alerts, known, read_typologies(rules, known), cases, completed)


if __name__ == "__main__":
    sys.exit(run(main))
