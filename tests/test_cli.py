"""Which commands run under spark-submit, and which in the process that was called."""

import sys

import pytest

from jobs import cli
from jobs.settings import ROOT


@pytest.fixture
def momo(monkeypatch):
    """Calls `momo` with words; what it would become, or its exit code."""
    submitted = []

    def submit(program, arguments):
        submitted.append((program.relative_to(ROOT).as_posix(), arguments))
        return 0

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["momo", *words])
        code = cli.main()
        return submitted.pop() if submitted else code

    monkeypatch.setattr(cli, "_submit", submit)
    return call


def test_a_retry_runs_under_spark_submit(momo):
    assert momo("quarantine", "retry", "--dry-run") == ("jobs/quarantine_events.py", ["retry", "--dry-run"])


def test_what_needs_no_spark_runs_here(momo, tmp_path, capsys):
    for words in (("quarantine", "list"), ("quarantine", "show", "T-1"), ("trace", "T-1")):
        assert momo(*words, "--lake", str(tmp_path)) == 64
        assert f"There are no tables in {tmp_path}" in capsys.readouterr().err


def test_the_help_of_a_retry_needs_no_spark(momo, capsys):
    assert momo("quarantine", "retry", "--help") == 0

    assert "--dry-run" in capsys.readouterr().out
