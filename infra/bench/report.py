"""What a benchmark gives: Markdown for people and one JSON object for machines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobs.settings import ROOT

SAVED = ROOT / "docs" / "bench"


@dataclass(frozen=True)
class Report:
    """The figures of one benchmark: `name` is also that of its files."""

    name: str
    markdown: str
    figures: dict[str, Any]

    @property
    def json_line(self) -> str:
        """The figures as one line."""
        return json.dumps({"bench": self.name, **self.figures})

    def on_machine(self, loop_seconds: float) -> "Report":
        """The report with the speed that the machine had, seconds of `loop_seconds` in infra/bench/processes.py."""
        speed = f"Ten million additions in a Python loop took {loop_seconds:.2f} s here, just before."
        return replace(
            self, markdown=f"{self.markdown}\n\n{speed}", figures={**self.figures, "loop_s": round(loop_seconds, 2)}
        )

    def save(self, folder: Path = SAVED) -> None:
        """Write `NAME.json` and `NAME.md`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.json").write_text(json.dumps({"bench": self.name, **self.figures}, indent=1) + "\n")
        (folder / f"{self.name}.md").write_text(self.markdown + "\n")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column of text and all others of figures."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
