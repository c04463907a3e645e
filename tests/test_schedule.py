"""Each command line of the schedules is run by a shell, with programs that write down how they were called."""

import argparse
import ast
import importlib
import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from jobs.cli import COMMANDS
from jobs.errors import AccessDenied, DataCheckFailed, SettingsError

FOLDER = Path(__file__).resolve().parent.parent / "infra" / "schedule"
INSTALLED = "/srv/momostream"
SCHEDULED = {"maintain", "backfill", "reconcile", "insights", "learn"}


def of_crontab() -> list[str]:
    """Cron gives the shell what follows the five fields, with % where \\% stands."""
    lines = (FOLDER / "crontab").read_text().splitlines()
    jobs = [line.split(None, 5)[5] for line in lines if re.match(r"[\d*]", line)]
    return [f"MOMOSTREAM={INSTALLED}; {job.replace(chr(92) + '%', '%')}" for job in jobs]


def of_systemd() -> list[str]:
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.service"))]
    lines = [line for text in texts for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)]
    return [f"cd {INSTALLED}; {line.replace('$$', '$').replace('%%', '%')}" for line in lines]


def of_airflow() -> list[str]:
    tree = ast.parse((FOLDER / "airflow_dag.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [word.value for call in calls for word in call.keywords if word.arg == "bash_command"]
    days = iter(["2026-03-24", "2026-03-27"] * len(given))
    return [f"cd {INSTALLED}; " + re.sub(r"{{.*?}}", lambda _: next(days), ast.literal_eval(word)) for word in given]


def called(line: str, folder: Path) -> list[str]:
    """The program and its arguments, as the shell calls it."""
    programs, record = folder / ".venv" / "bin", folder / "called"
    programs.mkdir(parents=True)
    (folder / ".local").mkdir()
    for name in ("momo", "spark-submit"):
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" > {shlex.quote(str(record))}\n')
        (programs / name).chmod(0o755)
    subprocess.run(["/bin/sh", "-c", line.replace(INSTALLED, str(folder))], check=True, timeout=30)
    return record.read_text().splitlines()


class Accepted(Exception):
    """The program has understood its arguments."""


def of_stream() -> str:
    return (FOLDER / "momostream-stream.service").read_text()


def test_the_stream_is_started_again_a_few_times_but_not_where_a_sentence_refuses_it():
    unit = ConfigParser(strict=True)
    unit.optionxform = str
    unit.read_string(of_stream())
    service = unit["Service"]

    refused = {error.exit_code for error in (SettingsError, DataCheckFailed, AccessDenied)}
    assert set(map(int, service["RestartPreventExitStatus"].split())) == refused
    assert service["Restart"] == "on-failure"
    starts, seconds = (int(unit["Unit"][name]) for name in ("StartLimitBurst", "StartLimitIntervalSec"))
    # A start that fails at once, and one that takes a minute and a half, are both counted within the interval.
    assert starts * (int(service["RestartSec"]) + 90) < seconds


@pytest.mark.parametrize("line", [*of_crontab(), *of_systemd(), *of_airflow()])
def test_a_program_accepts_the_command_line_of_a_schedule(line, tmp_path, monkeypatch):
    program, first, *arguments = called(line, tmp_path)
    module = COMMANDS[first][0] if program == "momo" else first.removesuffix(".py").replace("/", ".")
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser, argv):
        parse(parser, argv)
        raise Accepted

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(Accepted):
        importlib.import_module(module).main(arguments)
    if "--to" in arguments:
        days = [
            arguments[arguments.index(flag) + 1] for flag in ("--from" if "--from" in arguments else "--day", "--to")
        ]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)
        assert days[0] < days[1]


@pytest.mark.parametrize("lines", [of_crontab(), of_systemd(), of_airflow()], ids=["cron", "systemd", "airflow"])
def test_a_schedule_does_all_that_is_to_be_done_regularly(lines):
    done = {name for line in lines for name in SCHEDULED if re.search(rf"momo {name}|{name}_transactions", line)}

    assert len([line for line in lines if "momo stream" not in line]) == len(SCHEDULED)
    assert done == SCHEDULED
