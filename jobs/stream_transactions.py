"""Stream mobile-money transactions from Kafka through bronze and silver to gold and alerts, until stopped."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from infra.topics import topic_state
from jobs.alerts.alert_topic import AlertTopic
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.inspection import QUERIES
from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.recovery import prepare
from jobs.session import build_session
from jobs.shutdown import run_until_stopped
from jobs.sources import stream_topic

logger = logging.getLogger("momo.stream")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stream; 0 when it was stopped, or when `--available-now` has caught up."""
    parser = argparse.ArgumentParser(prog="stream_transactions.py", description=__doc__)
    parser.add_argument(
        "--available-now", action="store_true", help="carry what is in the topic now through all tables, then end"
    )
    parser.add_argument(
        "--recover", nargs="*", choices=QUERIES, help="set aside checkpoints that do not fit, go on from the tables"
    )
    parser.add_argument(
        "--accept-loss", action="store_true", help="go on behind records that Kafka deleted unread, write down which"
    )
    add_settings_arguments(parser, "kafka", "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    with lake.locked("the stream"):
        # Spark would wait for minutes for a broker that is down, and end with a page of Java.
        topic = topic_state(settings)
        lake.create()
        start = prepare(lake, settings, topic, arguments.recover, arguments.accept_loss)
        spark = build_session("momostream")
        records = stream_topic(spark, settings.kafka, start.offsets)
        alerts_to = AlertTopic(settings) if settings.stream.alerts else None
        pipeline = Pipeline(spark, lake, settings, records, start.rebuild, alerts_to)
        logger.info("streaming %s at %s into %s", settings.kafka.topic, settings.kafka.bootstrap, lake.path)
        if arguments.available_now:
            pipeline.run_available()
        else:
            run_until_stopped(pipeline)
    logger.info("stopped; the next start goes on from here")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
