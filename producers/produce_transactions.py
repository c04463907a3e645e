"""Replay transactions from a file, a database or an API into Kafka."""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator

from jobs.errors import PlatformError
from jobs.settings import load_settings
from producers.produce_arguments import options, parser
from producers.progress import progress, summary
from producers.replay import replay


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives the exit code: 0, 64 for wrong settings or sources, 65 for data that cannot be read, 69.

    The last is for Kafka that takes nothing, and for a database or an API that is away.
    """
    try:
        arguments = parser().parse_args(argv)
        settings = load_settings(
            arguments.conf_file, kafka__bootstrap=arguments.bootstrap, kafka__topic=arguments.topic
        )
        with _stop_signals() as stop, progress() as report:
            counts = replay(options(arguments, os.environ), settings, stop, report)
    except PlatformError as problem:
        print(f"momo produce: {problem}", file=sys.stderr)
        return problem.exit_code
    if counts.rejected and not arguments.rejected:
        print("momo produce: refused records were kept nowhere: give --rejected FILE to keep them.", file=sys.stderr)
    print(json.dumps(dataclasses.asdict(counts)) if arguments.json else summary(counts))
    return 0


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Set by Ctrl-C or SIGTERM, as long as the block lasts."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
