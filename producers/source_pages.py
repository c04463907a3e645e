"""An API as the source of a replay: pages of records, each of which names the next.

A page is a JSON array of records, or an object with the records in `items` and the address of the next page in `next`;
a `Link` header with rel="next" does as well. The last page names none.
"""

import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from jobs.errors import DataCheckFailed, DependencyMissing, PlatformError, SettingsError
from jobs.settings import ApiSettings
from producers.json_array import array_records
from producers.places import BEGINNING, Place, Places, SourceIdentity
from producers.wire import RawRecord

# What may be over in a while; any other refusal stays one.
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
)  # fmt: skip
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Only tells where a value ends: numbers stay text.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_BLANK = " \t\r\n"


class Page(NamedTuple):
    """The records' text, a JSON array, and the address of the next page as the API writes it; null on the last one."""

    records: str
    next_address: str | None


class PageSource:
    """The records of an API, from the first page on or from the page at which a replay goes on.

    A page is done when its last record is: the last page is read again by each replay that goes on, for it may have
    grown. The token goes to the API's own host alone, and is in no message.
    """

    def __init__(self, address: str, token: str | None, settings: ApiSettings, stop: threading.Event) -> None:
        """Raises `SettingsError` for an address that holds a password, or would send the token in the clear."""
        self._shown = _shown(address)
        _require_safe(address, self._shown, token)
        self._address, self._settings, self._stop = address, settings, stop
        self.identity = SourceIdentity(address, {"source": self._shown})
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        self._places = Places(BEGINNING)

    def records(self, after: Place) -> Iterator[RawRecord]:
        """The records behind the place."""
        self._places = Places(after)
        return self._read(after)

    def reached(self, line: int) -> Place:
        """The beginning of the first page that is not done with."""
        return self._places.reached(line)

    def _read(self, after: Place) -> Iterator[RawRecord]:
        address, line = after.at or self._address, after.line
        while response := self._answer(address):
            page = self._page(response)
            for record in array_records(iter([page.records.encode()])):
                if self._stop.is_set():
                    return
                line += 1
                yield record._replace(line=line)
            if page.next_address is None:
                return
            address = self._next(address, page.next_address)
            self._places.add(Place(line, address))

    def _answer(self, address: str) -> requests.Response | None:
        """The page's answer, asked for again while the API is away; null when a stop came first."""
        said, least_seconds = "", 0.0
        for attempt in range(self._settings.tries):
            if attempt and self._stop.wait(self._wait_seconds(attempt, least_seconds, said)):
                return None
            if self._stop.is_set():
                return None
            try:
                response = self._session.get(address, timeout=self._settings.answer_seconds)
            # Not told as it stands: it shows the whole address.
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as problem:
                said, least_seconds = type(problem).__name__, 0.0
                continue
            except (requests.RequestException, ValueError) as problem:
                raise SettingsError(
                    f"The API {self._shown} cannot be asked ({type(problem).__name__}): see its address and its token."
                ) from None
            if response.ok:
                return response
            said, least_seconds = f"HTTP {response.status_code}", _retry_after(response)
            if response.status_code not in _PASSING:
                raise self._refusal(response.status_code, is_first=address == self._address)
        raise self._away(f"{said} at the last of {self._settings.tries} tries")

    def _wait_seconds(self, attempt: int, least_seconds: float, said: str) -> float:
        """Twice as long each time, less a random part, so that clients do not come back all at once."""
        longest = self._settings.longest_wait_seconds
        if least_seconds > longest:
            raise self._away(f"{said}, and to be asked again in {least_seconds:,.0f} s")
        doubled = self._settings.first_wait_ms / 1000 * 2.0 ** (attempt - 1)
        return max(least_seconds, min(doubled, longest) * random.uniform(0.5, 1))

    def _away(self, found: str) -> DependencyMissing:
        return DependencyMissing(
            f"The API {self._shown} stays away ({found}): see that it runs, then go on with --resume."
        )

    def _refusal(self, status: int, is_first: bool) -> PlatformError:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return SettingsError(
                f"The API {self._shown} lets us not in (HTTP {status}): see the token that --token-variable names."
            )
        if is_first:
            return SettingsError(f"The API {self._shown} refuses the request (HTTP {status}): see the address.")
        return DataCheckFailed(
            f"The API {self._shown} refuses a page that it named itself (HTTP {status}): if its pages "
            "expire, replay without --resume."
        )

    def _page(self, response: requests.Response) -> Page:
        page = _cut(response.content)
        if page is None:
            raise DataCheckFailed(
                f"The API {self._shown} gave a page that is neither a JSON array nor an object with `items` "
                "(and `next`, a text): see docs/sources.md."
            )
        linked = response.links.get("next", {}).get("url")
        return page._replace(next_address=page.next_address or linked)

    def _next(self, address: str, named: str) -> str:
        try:
            following = urljoin(address, named)
            is_on_our_host = urlsplit(following)[:2] == urlsplit(self._address)[:2]
        except ValueError:
            raise DataCheckFailed(f"The API {self._shown} gave a page whose next one has no address.") from None
        if following == address:
            raise DataCheckFailed(f"The API {self._shown} gave a page that names itself as the next one.")
        if not is_on_our_host:
            raise DataCheckFailed(f"The API {self._shown} gave a page whose next one is on another host.")
        return following


class _Bearer(AuthBase):
    """The token, or none; in its place requests would send a password of ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _require_safe(address: str, shown: str, token: str | None) -> None:
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise SettingsError(
            f"The address of {shown} holds a user or password, which would be seen: put a token into an environment "
            "variable and name that by --token-variable."
        )
    if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise SettingsError(f"The token would go to {shown} in the clear: use https.")


def _shown(address: str) -> str:
    """Without user, password and parameters, which may be secrets."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise SettingsError("The source is no address such as https://api.example.com/transactions.") from None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _cut(body: bytes) -> Page | None:
    """The parts of a page as the very text they have there; null for what is no page."""
    try:
        text = body.decode().strip(_BLANK)
        # Of numbers nothing is wanted here, however long they are.
        page = json.loads(text, parse_int=_any_number, parse_float=_any_number)
    except (ValueError, RecursionError):
        return None
    if isinstance(page, list):
        return Page(text, None)
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        return None
    following = page.get("next")
    return Page(_member(text, "items"), following or None) if isinstance(following, str | None) else None


def _any_number(_: str) -> int:
    return 0


def _member(text: str, wanted: str) -> str:
    """The text of a member of an object that is known to be JSON; of two, the last one counts, as for a parser."""
    found, at = "", 1
    while text[at := _ink(text, at)] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _ink(text, _ink(text, at) + 1)
        _, at = _DECODER.raw_decode(text, begin)
        found = text[begin:at] if name == wanted else found
        at = _ink(text, at)
        at += text[at] == ","
    return found


def _ink(text: str, at: int) -> int:
    """The next place that is no white space."""
    while text[at] in _BLANK:
        at += 1
    return at


def _retry_after(response: requests.Response) -> float:
    """The seconds that the API asks to wait, as such or by a date; 0 when it says nothing that can be read."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
