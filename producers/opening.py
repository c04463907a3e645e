"""Open what a replay is to read: a file, a query of a database, or an API."""

import re
import threading
from dataclasses import dataclass, field

from jobs.errors import SettingsError
from jobs.settings import Settings
from producers.places import Source
from producers.source_files import FileSource

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class SourceAddress:
    """What is to be read: a file or -, or an address with what its kind needs.

    `query` and `cursor` belong to a database, `token` to an API. Neither address nor token is shown.
    """

    source: str = field(repr=False)
    query: str | None = field(default=None, repr=False)
    cursor: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what does not go together; raises `SettingsError`."""
        is_database = self.is_address and not self.is_api
        if is_database and not (self.query and self.cursor):
            scheme = self.source.partition("://")[0]
            raise SettingsError(
                f"The source is a {scheme}:// address, which is read as a database: by --query SQL, in the order of "
                "--cursor COLUMN; give both."
            )
        if not is_database and (self.query or self.cursor):
            raise SettingsError("--query and --cursor belong to a database, and the source is none: leave them out.")
        if self.token and not self.is_api:
            raise SettingsError("--token-variable belongs to an API, and the source is none: leave it out.")

    @property
    def is_address(self) -> bool:
        """Whether it is no file."""
        return _SCHEME.match(self.source) is not None

    @property
    def is_api(self) -> bool:
        """Whether it is asked by HTTP."""
        scheme = _SCHEME.match(self.source)
        return scheme is not None and scheme.group(1).lower() in ("http", "https")


def open_source(address: SourceAddress, settings: Settings, stop: threading.Event) -> Source:
    """The source, looked at once; raises a `PlatformError` when it cannot be read."""
    # Only who reads an API or a database pays for their libraries.
    if address.is_api:
        from producers.source_pages import PageSource

        return PageSource(address.source, address.token, settings.api, stop)
    if address.is_address:
        from producers.source_tables import TableSource

        return TableSource(address.source, address.query or "", address.cursor or "", stop)
    return FileSource(address.source, stop)
