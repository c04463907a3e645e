"""The contestant momostream: the pipeline as it is, into a fresh lake in each round."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.bench.contestants.protocol import serve
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.session import build_session
from jobs.sources import stream_topic


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends."""
    parser = argparse.ArgumentParser(prog="momostream.py", description=__doc__)
    add_settings_arguments(parser, "kafka")
    settings = settings_from(parser.parse_args(argv))
    spark = build_session("momo bench: momostream")

    def drain(folder: Path) -> None:
        lake = Lake(folder)
        with lake.locked("momo bench"):
            lake.create()
            Pipeline(spark, lake, settings, stream_topic(spark, settings.kafka)).run_available()

    serve(drain)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
