"""Documents that are made of code, or that show commands, agree with the code."""

import importlib
import re
from pathlib import Path

import pytest

from jobs.cli import COMMANDS
from schemas.document_tables import DOCUMENT, document

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_tables_document_is_that_of_the_code():
    assert DOCUMENT.read_text() == document(), "run python -m schemas.document_tables"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_momo_command_in_a_page_exists(page):
    named = set(re.findall(r"(?:^|[`/ ])momo ([a-z]+)", page.read_text(), re.MULTILINE))

    assert named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_points_to_exists(page):
    links = re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text())
    paths = re.findall(
        r"`((?:jobs|producers|schemas|conf|infra|tests|docs|data|notebooks)/[\w./-]+\.\w+)`", page.read_text()
    )
    missing = [name for name in links if not (page.parent / name).exists()] + [
        p for p in paths if not (ROOT / p).exists()
    ]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_a_page_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)`", page.read_text())) <= targets


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_help(command, capsys):
    main = importlib.import_module(COMMANDS[command][0]).main
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    assert left.value.code == 0
    assert "usage: " in capsys.readouterr().out
