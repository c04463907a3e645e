"""An API's pages as records: each once and in order, over failures of any kind, and no secret said."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from jobs.errors import DataCheckFailed, DependencyMissing, PlatformError, SettingsError
from jobs.settings import ApiSettings
from producers.places import BEGINNING, Place
from producers.source_pages import PageSource
from producers.wire import RawRecord

TOKEN = "the-secret-token"
QUICK = ApiSettings(tries=4, first_wait_ms=1, longest_wait_seconds=2, answer_seconds=1)


class Answer(NamedTuple):
    """What the API does when it is asked: 0 hangs up, -1 says nothing until the test is over."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = {}


class Api:
    """An API that answers by plan; the last answer of an address stays."""

    address: str

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    def serve(self) -> ThreadingHTTPServer:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.asked.append((self.path, self.headers["Authorization"]))
                planned = api.answers.get(self.path, [Answer(404)])
                answer = planned.pop(0) if len(planned) > 1 else planned[0]
                if answer.status == -1:
                    api.over.wait(30)
                if answer.status <= 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                length = {"Content-Length": str(len(answer.body))}
                for name, value in (length | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    # Where the machine has a proxy, it is not asked for what is on this machine.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    planned = Api()
    server = planned.serve()
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    planned.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield planned
    planned.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def source(api: Api, path: str = "/t", token: str | None = TOKEN, settings: ApiSettings = QUICK) -> PageSource:
    return PageSource(api.address + path, token, settings, threading.Event())


def read(api: Api, path: str = "/t", settings: ApiSettings = QUICK) -> list[RawRecord]:
    return list(source(api, path, settings=settings).records(BEGINNING))


def page(records: list[Any], following: Any = None) -> Answer:
    return Answer(body=json.dumps({"next": following, "items": records}).encode())


def refused(api: Api, error: type[PlatformError], said: str, path: str = "/t") -> str:
    with pytest.raises(error, match=said) as problem:
        read(api, path)
    assert len(str(problem.value).splitlines()) == 1
    assert TOKEN not in str(problem.value)
    return str(problem.value)


def test_pages_are_read_to_the_last_one_in_order(api: Api) -> None:
    api.answers = {
        "/t": [page([1, 2], "/t?page=2")],
        "/t?page=2": [page([], "?page=3")],
        "/t?page=3": [page([3], f"{api.address}/last")],
        "/last": [page([4])],
    }
    assert read(api) == [RawRecord(n, str(n).encode()) for n in (1, 2, 3, 4)]
    assert [path for path, _ in api.asked] == ["/t", "/t?page=2", "/t?page=3", "/last"]
    assert {token for _, token in api.asked} == {f"Bearer {TOKEN}"}


def test_an_array_and_a_link_header_do_as_well(api: Api) -> None:
    api.answers = {
        "/t": [Answer(body=b"[1]", headers={"Link": '</t?c=x>; rel="next", </t>; rel="first"'})],
        "/t?c=x": [Answer(body=b" [ 2 ]\n")],
    }
    assert [record.raw for record in read(api)] == [b"1", b"2"]


def test_records_are_the_text_that_the_api_wrote(api: Api) -> None:
    body = b"""{ "total" : 12.30, "a": {"items": [0]},
      "items": [{"amount": 12.30, "n": 12345678901234567890.0001, "x":"\\u00e9,]}"} , {"a":1,"a":2}],
      "next" : null }"""
    api.answers = {"/t": [Answer(body=body)]}
    assert read(api) == [
        RawRecord(1, b'{"amount": 12.30, "n": 12345678901234567890.0001, "x":"\\u00e9,]}"}'),
        RawRecord(2, b'{"a":1,"a":2}'),
    ]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 0])
def test_what_passes_is_waited_for(api: Api, status: int) -> None:
    api.answers = {"/t": [Answer(status), Answer(status), page([1], "/u")], "/u": [Answer(status), page([2])]}
    assert [record.raw for record in read(api)] == [b"1", b"2"]
    assert len(api.asked) == 5


def test_an_answer_that_is_cut_off_is_asked_for_again(api: Api) -> None:
    api.answers = {"/t": [Answer(body=b"[1,", headers={"Content-Length": "6"}), Answer(body=b"[1, 2]")]}
    assert [record.raw for record in read(api)] == [b"1", b"2"]


def test_an_answer_that_does_not_come_is_asked_for_again(api: Api) -> None:
    api.answers = {"/t": [Answer(-1), page([1])]}
    assert [record.raw for record in read(api)] == [b"1"]


def test_retry_after_is_waited_for(api: Api) -> None:
    api.answers = {"/t": [Answer(429, headers={"Retry-After": "1"}), page([1])]}
    began = time.monotonic()
    assert len(read(api)) == 1
    assert 1 <= time.monotonic() - began < 3


def test_a_retry_after_beyond_the_longest_wait_ends_the_replay_at_once(api: Api) -> None:
    for asked in ("3600", "Fri, 31 Dec 2999 23:59:59 GMT"):
        api.answers = {"/t": [Answer(503, headers={"Retry-After": asked}), page([1])]}
        refused(api, DependencyMissing, "stays away .HTTP 503, and to be asked again in .* s.*go on with --resume")


@pytest.mark.parametrize("asked", ["soon", "-1", "", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_retry_after_that_says_nothing_is_no_wait(api: Api, asked: str) -> None:
    api.answers = {"/t": [Answer(503, headers={"Retry-After": asked}), page([1])]}
    assert len(read(api)) == 1


def test_an_api_that_stays_away_ends_the_replay_after_so_many_tries(api: Api) -> None:
    api.answers = {"/t?key=hidden": [Answer(502)]}
    said = refused(
        api, DependencyMissing, f"The API {api.address}/t stays away .HTTP 502 at the last of 4", "/t?key=hidden"
    )
    assert "hidden" not in said
    assert len(api.asked) == 4
    assert DependencyMissing.exit_code == 69


def test_an_api_that_is_not_there_is_said_to_be_away(api: Api) -> None:
    api.address = "http://127.0.0.1:1"
    refused(api, DependencyMissing, "stays away .ConnectionError at the last of 4 tries")


def test_waits_grow_and_are_bounded_and_never_alike() -> None:
    slow = ApiSettings(tries=6, first_wait_ms=500, longest_wait_seconds=3, answer_seconds=1)
    waiting = PageSource("http://localhost/t", None, slow, threading.Event())
    for attempt, longest in [(1, 0.5), (2, 1), (3, 2), (4, 3), (5, 3)]:
        waits = [waiting._wait_seconds(attempt, 0, "") for _ in range(50)]
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 40
    assert waiting._wait_seconds(1, 2.5, "") == 2.5


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said_and_not_tried_again(api: Api, status: int) -> None:
    api.answers = {"/t": [Answer(status)]}
    refused(api, SettingsError, f"lets us not in .HTTP {status}.: see the token")
    assert len(api.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_another_refusal_is_the_address_or_later_on_the_apis_own_fault(api: Api, status: int) -> None:
    api.answers = {"/t": [Answer(status)], "/u": [page([1], "/t")]}
    refused(api, SettingsError, f"refuses the request .HTTP {status}.")
    refused(api, DataCheckFailed, f"refuses a page that it named itself .HTTP {status}.", "/u")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"5", b"null", b'{"data": []}', b'{"items": {}}', b'{"items": [], "next": 5}', b"\xff", b"[" * 9999],
)
def test_what_is_no_page_is_said(api: Api, body: bytes) -> None:
    api.answers = {"/t": [Answer(body=body)]}
    refused(api, DataCheckFailed, "neither a JSON array nor an object with `items`")


@pytest.mark.parametrize(
    ("following", "said"),
    [("/t", "names itself"), ("http://elsewhere.example/t", "another host"), ("http://[", "no address")],
)
def test_a_next_page_that_leads_astray_is_not_followed(api: Api, following: str, said: str) -> None:
    api.answers = {"/t": [page([1], following)]}
    refused(api, DataCheckFailed, said)
    assert len(api.asked) == 1


def test_a_token_does_not_follow_to_another_host(api: Api) -> None:
    elsewhere = api.address.replace("127.0.0.1", "localhost")
    api.answers = {"/t": [Answer(302, headers={"Location": f"{elsewhere}/u"})], "/u": [page([1])]}
    assert len(read(api)) == 1
    assert api.asked == [("/t", f"Bearer {TOKEN}"), ("/u", None)]


def test_a_replay_goes_on_at_the_first_page_that_is_not_done(api: Api) -> None:
    api.answers = {"/t": [page([1, 2], "/t?p=2")], "/t?p=2": [page([3, 4], "/t?p=3")], "/t?p=3": [page([5])]}
    whole = read(api)
    for done, begins_after in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4), (5, 4)]:
        first = source(api)
        list(first.records(BEGINNING))
        place = Place(*json.loads(json.dumps(first.reached(done))))
        assert place.line == begins_after
        assert list(source(api).records(place)) == whole[begins_after:]


def test_a_replay_that_fails_before_its_first_page_forgets_nothing(api: Api) -> None:
    api.answers = {"/t?p=2": [Answer(500)]}
    going_on = source(api)
    place = Place(2, f"{api.address}/t?p=2")
    with pytest.raises(DependencyMissing):
        list(going_on.records(place))
    assert going_on.reached(2) == place


def test_a_stop_ends_the_reading(api: Api) -> None:
    stop = threading.Event()
    api.answers = {"/t": [page([1, 2, 3], "/u")]}
    records = PageSource(f"{api.address}/t", None, QUICK, stop).records(BEGINNING)
    assert next(records).raw == b"1"
    stop.set()
    assert list(records) == []
    assert len(api.asked) == 1


def test_a_stop_ends_the_waiting(api: Api) -> None:
    stop = threading.Event()
    patient = ApiSettings(tries=9, first_wait_ms=600_000, longest_wait_seconds=600, answer_seconds=1)
    api.answers = {"/t": [page([1], "/u")], "/u": [Answer(503)]}
    records = PageSource(f"{api.address}/t", None, patient, stop).records(BEGINNING)
    assert next(records).raw == b"1"
    threading.Timer(0.2, stop.set).start()
    assert list(records) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:the-secret-token@host/t", r"https://host/t holds a user or password"),
        ("http://host/t?key=the-secret-token", r"to http://host/t in the clear: use https"),
    ],
)
def test_an_address_that_would_show_a_secret_is_refused(address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as problem:
        PageSource(address, TOKEN, QUICK, threading.Event())
    assert TOKEN not in str(problem.value)


@pytest.mark.parametrize("address", ["http://", "https://:99999/t", "http://[::1/t"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    with pytest.raises(PlatformError):
        list(PageSource(address, None, QUICK, threading.Event()).records(BEGINNING))


def test_a_token_with_a_line_feed_is_refused_and_not_shown(api: Api) -> None:
    api.answers = {"/t": [page([])]}
    with pytest.raises(SettingsError, match="cannot be asked") as problem:
        list(source(api, token=f"{TOKEN}\nX: y").records(BEGINNING))
    assert TOKEN not in str(problem.value)


def test_nothing_is_logged_that_shows_token_or_parameters(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    api.answers = {"/t?key=hidden": [Answer(503), Answer(0), page([1])]}
    assert len(read(api, "/t?key=hidden")) == 1
    assert TOKEN not in caplog.text
    assert "hidden" not in caplog.text
    assert TOKEN not in json.dumps(source(api, "/t?key=hidden").identity.facts)
    assert "hidden" not in json.dumps(source(api, "/t?key=hidden").identity.facts)
