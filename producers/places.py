"""Places in a source at which reading can begin again."""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from producers.wire import RawRecord


class Place(NamedTuple):
    """The place behind a line; `at` is the source's own word for it, as JSON holds it: null for the beginning."""

    line: int
    at: Any = None


BEGINNING = Place(0)


class SourceIdentity(NamedTuple):
    """Which source it is.

    `name` tells it from all others, and is kept as a hash alone; `facts` are kept as they are, and must not have
    changed when a replay goes on.
    """

    name: str
    facts: dict[str, Any]


class Source(Protocol):
    """What a replay reads. Lines are numbered from 1, and go on after a resumption."""

    @property
    def identity(self) -> SourceIdentity:
        """Which source it is."""

    def records(self, after: Place) -> Iterator[RawRecord]:
        """The records behind the place."""

    def reached(self, line: int) -> Place:
        """The last place at which reading can begin again when all up to the line is done with."""


class Places:
    """The places of a source that is read page by page, in their order."""

    def __init__(self, first: Place) -> None:
        self._places = deque([first])

    def add(self, place: Place) -> None:
        """Note a place that the reading has come to."""
        self._places.append(place)

    def reached(self, line: int) -> Place:
        """The last one that is not behind the line; those before are forgotten."""
        while len(self._places) > 1 and self._places[1].line <= line:
            self._places.popleft()
        return self._places[0]
