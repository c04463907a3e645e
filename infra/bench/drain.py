"""`momo bench drain`: contestants drain one topic in alternating rounds, each answer checked before its time counts."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from infra.bench.answers import differences
from infra.bench.bench_broker import bench_broker
from infra.bench.bench_topic import Truth, filled_topic, with_topic
from infra.bench.drain_report import Standing, drain_report
from infra.bench.registry import CONTESTANTS, Contestant, contestants_named
from infra.bench.report import Report
from infra.bench.roofline import Roofline, roofline_process
from infra.bench.warm_process import ContestantFailed, WarmProcess
from jobs.command_line import settings_from
from jobs.errors import SettingsError
from jobs.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `drain` takes besides what all benchmarks take."""
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument(
        "--warm-ups",
        type=int,
        default=2,
        help="rounds before them that do not: a JVM compiles for some three million records (default: 2)",
    )
    parser.add_argument("--rows", type=int, default=600_000, help="records in the topic (default: 600000)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")
    parser.add_argument(
        "--contestants",
        default="momostream,tutorial",
        metavar="NAME,…",
        help=f"of {', '.join(CONTESTANTS)} (default: the first two; the others fetch what they need when first named)",
    )
    parser.add_argument("--no-roofline", action="store_true", help="do not measure the roofline beside them")


def run_drain(arguments: argparse.Namespace) -> Report:
    """Run the race; raises `SettingsError` for fewer than one round or row."""
    for name in ("rounds", "rows", "warm_ups"):
        if getattr(arguments, name) < 1:
            raise SettingsError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}: give 1 or more.")
    folder = arguments.folder.absolute()
    is_foreign = arguments.kafka__bootstrap is not None
    with bench_broker(settings_from(arguments), folder, is_foreign) as (settings, broker_pid):
        truth = filled_topic(settings, folder, arguments.rows, arguments.seed)
        race = Race(with_topic(settings, truth.topic), truth, folder, broker_pid)
        contestants = contestants_named(arguments.contestants)
        return race.run(contestants, arguments.warm_ups, arguments.rounds, not arguments.no_roofline)


class Race:
    """Rounds of contestants over one topic, one at a time, all of them warm."""

    def __init__(self, settings: Settings, truth: Truth, folder: Path, broker_pid: int | None) -> None:
        """`folder` takes logs, and a folder a round that is deleted after its check."""
        self._settings, self._truth, self._folder, self._broker_pid = settings, truth, folder, broker_pid

    def run(self, contestants: Sequence[Contestant], warm_ups: int, rounds: int, with_roofline: bool) -> Report:
        """Rounds to warm up, which do not count, then those that do, each beginning with another contestant."""
        standings = [Standing(contestant) for contestant in contestants]
        with ExitStack() as running:
            processes = {s.name: self._start(running, s) for s in standings}
            roofline = self._start_roofline(running) if with_roofline else None
            for number in range(1 - warm_ups, rounds + 1):
                first = number % len(standings)
                for standing in standings[first:] + standings[:first]:
                    self._round(number, standing, processes[standing.name])
                if roofline:
                    roofline.measure(self._fresh_folder("roofline", number), counts=number > 0)
        return drain_report(self._truth, standings, warm_ups, rounds, roofline)

    def _start(self, running: ExitStack, standing: Standing) -> WarmProcess:
        kafka, name = self._settings.kafka, standing.name
        command = [*standing.contestant.command(), "--bootstrap", kafka.bootstrap, "--topic", kafka.topic]
        process = WarmProcess(name, command, self._folder / f"{name}.log")
        running.callback(process.close)
        try:
            process.wait_until_ready()
        except ContestantFailed as failed:
            self._drop(standing, str(failed))
        return process

    def _start_roofline(self, running: ExitStack) -> Roofline:
        process = roofline_process(self._settings, self._folder)
        running.callback(process.close)
        return Roofline(process)

    def _round(self, number: int, standing: Standing, process: WarmProcess) -> None:
        """Drain, check, and only then count; numbers below 1 warm up."""
        contestant = standing.contestant
        if standing.out:
            return None
        folder = self._fresh_folder(contestant.name, number)
        try:
            cost = process.drain(folder, self._broker_pid, contestant.says_written)
            wrong = differences(folder, contestant.tables, self._truth)
        except ContestantFailed as failed:
            return self._drop(standing, str(failed))
        except Exception as problem:  # A table that cannot be read is the contestant's fault, whatever its reader says.
            return self._drop(standing, f"its tables cannot be read: {problem}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if wrong:
            return self._drop(standing, f"wrong: {'; '.join(wrong)}")
        _say(
            f"round {number}: {contestant.name} {cost.seconds:.1f} s, {self._truth.records / cost.seconds:,.0f} rows/s"
        )
        if number > 0:
            standing.rounds.append(cost)
        return None

    def _drop(self, standing: Standing, why: str) -> None:
        _say(f"{standing.name} is out: {why}")
        standing.out = why

    def _fresh_folder(self, name: str, number: int) -> Path:
        folder = self._folder / "rounds" / f"{name}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def _say(what: str) -> None:
    sys.stderr.write(f"bench: {what}\n")
