"""The contestant momo produce: the replay of a file as the command does it, whole, in each round."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.bench.contestants.protocol import serve
from jobs.command_line import add_settings_arguments, run, settings_from
from producers.replay import ReplayOptions, replay


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends."""
    parser = argparse.ArgumentParser(prog="momo_produce.py", description=__doc__)
    parser.add_argument("--records", required=True, metavar="FILE", help="JSON lines")
    add_settings_arguments(parser, "kafka")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)

    def send(folder: Path) -> None:
        replay(ReplayOptions(arguments.records, positions=folder), settings)

    serve(send)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
