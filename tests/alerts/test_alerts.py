"""The table of alerts is what the rules say of silver, however its rows came."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts.following import AlertFollower
from jobs.lake import Lake
from jobs.retention import readers
from schemas.tables import CUSTOMERS_DAILY, PAIRS_DAILY, SILVER
from tests.alerts.lakes import HISTORY, OVERLAPPING, STRANGERS, Followed, paid
from tests.builders import put_rows


def test_an_alert_explains_itself(followed):
    followed.write(paid("T-2", "ana", "eve", "10:05:00"), paid("T-1", "ana", "ben", "10:01:00"))

    (alert,) = followed.alerts()
    assert len(alert.pop("alert_id")) == 32
    assert alert == {
        "rule_id": "fan_out",
        "rule_version": 1,
        "state": "active",
        "severity": "medium",
        "entity_type": "payer",
        "entity": "ana",
        "currency": "UGX",
        "window_start": datetime(2026, 3, 27, 10, tzinfo=UTC),
        "window_end": datetime(2026, 3, 27, 11, tzinfo=UTC),
        "band": "two",
        "score": 200,
        "reason": "2 payees within 1 hour",
        "values": '{"distinct_payees": "2"}',
        "transaction_references": ["T-1", "T-2"],
        "first_event_time": datetime(2026, 3, 27, 10, 1, tzinfo=UTC),
        "window_date": datetime(2026, 3, 27).date(),
    }


def test_rows_of_several_commits_make_one_alert(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"))
    followed.write(paid("T-2", "ana", "eve", "10:05:00"), paid("T-3", "ana", "eve", "10:06:00"))
    followed.write(paid("T-4", "ana", "joe", "10:07:00"), paid("T-5", "ana", "kim", "10:08:00"))

    assert followed.found() == [("fan_out", "ana", "four")]
    assert followed.alerts() == followed.of_all_of_silver()
    assert followed.lake.value("SELECT revision FROM alerts") == 1
    assert followed.inbox.received == [("fan_out", "two"), ("fan_out", "four")]


def test_who_was_paid_in_an_earlier_commit_is_not_counted_again(followed):
    payees = ["ana", "ben", "joe", "kim", "sam"]
    followed.write(*(paid(f"T-{i}", "eve", payee, "10:01:00") for i, payee in enumerate(payees)))
    followed.write(*(paid(f"U-{i}", "eve", payee, "10:02:00") for i, payee in enumerate(payees)))

    (alert,) = followed.alerts()
    assert alert["values"] == '{"distinct_payees": "5"}'
    assert [alert] == followed.of_all_of_silver()


def test_an_alert_that_comes_again_names_what_came_meanwhile(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00", "100"), paid("T-2", "ben", "eve", "10:05:00", "90"))
    followed.write(paid("T-3", "ana", "ben", "10:06:00", "100"))
    followed.write(paid("T-4", "ben", "eve", "10:07:00", "90"))

    assert followed.found() == [("passed", "ben", "most")]
    assert followed.alerts() == followed.of_all_of_silver()


def test_a_late_event_corrects_a_closed_window(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"))
    followed.write(paid("T-2", "joe", "kim", "15:00:00"))
    followed.write(paid("T-3", "ana", "eve", "10:02:00"))
    followed.write(paid("T-4", "ana", "eve", "2026-03-20T10:02:00"), paid("T-5", "ana", "ben", "2026-03-20T10:03:00"))

    assert followed.found() == [("fan_out", "ana", "two"), ("fan_out", "ana", "two")]
    assert followed.alerts() == followed.of_all_of_silver()
    assert followed.inbox.received == [("fan_out", "two"), ("fan_out", "two")]


def test_an_alert_that_holds_no_more_is_taken_back(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00", "100"), paid("T-2", "ben", "eve", "10:05:00", "90"))
    assert followed.found() == [("passed", "ben", "most")]

    followed.write(paid("T-3", "ana", "ben", "10:06:00", "100"))

    assert followed.found() == followed.of_all_of_silver() == []


def test_a_late_event_takes_an_alert_of_a_closed_day_back(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00", "100"), paid("T-2", "ben", "eve", "10:05:00", "90"))
    followed.write(paid("T-3", "joe", "kim", "2026-03-29T10:00:00"))
    followed.write(paid("T-4", "ana", "ben", "10:06:00", "100"))

    assert followed.found() == followed.of_all_of_silver() == []


def test_a_rule_over_single_rows_looks_at_each(followed):
    followed.write(
        *(paid(f"T-{i}", "ana", "ben", "10:00:00", "2000000") for i in range(2)), paid("T-2", "a", "b", "10:00:00")
    )

    assert followed.found() == [("large", "ana", "large"), ("large", "ana", "large")]
    assert followed.alerts() == followed.of_all_of_silver()


def test_sums_of_two_currencies_are_not_added(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00", currency="KES"))

    assert followed.found() == []


def test_an_alert_in_shadow_is_in_the_table_alone(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00", "100"), paid("T-2", "ben", "eve", "10:05:00", "90"))

    assert followed.lake.query("SELECT rule_id, state FROM alerts").to_pylist() == [
        {"rule_id": "passed", "state": "shadow"}
    ]
    assert followed.inbox.received == []


@pytest.mark.parametrize("at", ["10:05:00", "2026-03-20T10:05:00"], ids=["open window", "closed window"])
def test_a_kill_between_the_table_and_kafka_sends_again_and_doubles_nothing(followed, at):
    followed.write(paid("T-0", "joe", "kim", "10:00:00"))
    followed.inbox.is_down = True
    with pytest.raises(ConnectionError):
        followed.write(
            paid("T-1", "ana", "ben", at), paid("T-2", "ana", "eve", at), paid("T-3", "a", "b", at, "2000000")
        )
    followed.inbox.is_down = False

    followed.start()
    followed.carry()

    assert followed.found() == [("fan_out", "ana", "two"), ("large", "a", "large")]
    assert followed.alerts() == followed.of_all_of_silver()
    assert {*followed.inbox.received} == {("fan_out", "two"), ("large", "large")}


def test_a_start_that_finds_nothing_new_writes_and_sends_nothing(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00"))
    before, sent = followed.lake.query("SELECT * FROM alerts").to_pylist(), list(followed.inbox.received)

    followed.start()
    followed.carry()

    assert followed.lake.query("SELECT * FROM alerts").to_pylist() == before
    assert followed.inbox.received == sent


def test_the_next_alert_of_an_entity_is_not_sent_within_the_cooldown(followed):
    rules = followed.rules / "rules.yaml"
    rules.write_text(
        rules.read_text().replace('  explanation: "{distinct', '  cooldown: 1 day\n  explanation: "{distinct')
    )
    followed.start()

    for hour in ("10", "11"):
        followed.write(
            paid(f"T-{hour}", "ana", "ben", f"{hour}:01:00"), paid(f"U-{hour}", "ana", "eve", f"{hour}:05:00")
        )

    assert len(followed.found()) == 2
    assert followed.inbox.received == [("fan_out", "two")]


def starts_of(followed):
    return sorted(
        (one["rule_id"], one["entity"], one["window_start"].strftime("%d %H:%M")) for one in followed.alerts()
    )


def test_what_the_end_of_one_window_cuts_off_is_whole_in_the_next_one_and_sent_once(followed):
    (followed.rules / "overlapping.yaml").write_text(OVERLAPPING)
    followed.write(paid("T-1", "ana", "eve", "2026-03-27T23:58:00"), paid("T-2", "ben", "eve", "2026-03-28T00:01:00"))
    assert starts_of(followed) == [("fan_in", "eve", "27 12:00")]

    followed.write(paid("T-3", "cal", "eve", "2026-03-28T00:10:00"))
    assert starts_of(followed) == [("fan_in", "eve", "27 12:00"), ("fan_in", "eve", "28 00:00")]
    assert followed.inbox.received == [("fan_in", "two")]
    assert followed.alerts() == followed.of_all_of_silver()


def test_a_start_writes_and_sends_nothing_of_a_short_window_that_is_held_beyond_its_end(followed):
    (followed.rules / "overlapping.yaml").write_text(OVERLAPPING)
    followed.write(paid("T-1", "ana", "ben", "10:07:00"), paid("T-2", "ana", "ben", "10:08:00"))
    # Ten minutes late is late: the hour is closed, the windows that begin at five past are held until 11:05.
    followed.write(paid("T-3", "eve", "ben", "11:12:00"))
    in_table = "SELECT * FROM alerts ORDER BY alert_id"
    before, sent = followed.lake.query(in_table).to_pylist(), list(followed.inbox.received)

    followed.start()
    followed.carry()

    assert followed.lake.query(in_table).to_pylist() == before
    assert followed.inbox.received == sent


def put_past_of_ana(lake):
    """Three transfers of the day before, the largest of 2,000."""
    past = {"customer_token": "ana", "transfer_count": 3, "largest_transfer_amount": Decimal("2000")}
    day = {"event_date": date(2026, 3, 26), "currency": "UGX", "country": "UGA", "out_count": 3, "in_count": 0}
    put_rows(lake, CUSTOMERS_DAILY, day | past)


def test_a_transfer_is_compared_with_what_the_account_sent_before(followed):
    (followed.rules / "history.yaml").write_text(HISTORY)
    put_past_of_ana(followed.lake)

    followed.write(paid("T-1", "ana", "eve", "10:05:00", "20000"), paid("T-2", "ben", "eve", "10:05:00", "90000"))

    assert followed.found() == [("exceptional", "ana", "ten")]


def test_a_transfer_is_compared_with_the_others_of_the_day_too(followed):
    (followed.rules / "history.yaml").write_text(HISTORY)
    put_past_of_ana(followed.lake)

    followed.write(paid("T-1", "ana", "eve", "10:05:00", "19999"))
    assert followed.found() == []

    followed.write(paid("T-2", "ana", "eve", "10:07:00", "20000"))
    assert followed.found() == []


def test_a_day_of_the_past_that_is_computed_late_is_taken_up_for_the_open_windows(followed):
    (followed.rules / "history.yaml").write_text(HISTORY)
    followed.write(paid("T-1", "ana", "eve", "10:05:00", "20000"))

    put_past_of_ana(followed.lake)
    followed.carry()

    assert followed.found() == [("exceptional", "ana", "ten")]


def put_transfer_of_ana_to_ben(lake, day):
    put_rows(lake, PAIRS_DAILY, {"event_date": day, "payer_token": "ana", "payee_token": "ben", "currency": "UGX"})


def strangers_of(followed):
    found = followed.lake.query("SELECT entity, reason FROM alerts WHERE rule_id = 'stranger'")
    return [(alert["entity"], alert["reason"]) for alert in found.to_pylist()]


@pytest.mark.parametrize(
    ("day", "is_told"),
    [
        (date(2026, 3, 26), True),
        (date(2025, 12, 27), True),
        # Ninety-one days before, and the day itself, tell of nobody.
        (date(2025, 12, 26), False),
        (date(2026, 3, 27), False),
    ],
)
def test_who_sent_money_to_somebody_knows_that_one_and_is_known_for_ninety_days(followed, day, is_told):
    (followed.rules / "strangers.yaml").write_text(STRANGERS)
    put_transfer_of_ana_to_ben(followed.lake, day)

    followed.write(
        paid("T-1", "ana", "ben", "10:05:00"),
        paid("T-2", "ben", "ana", "10:06:00"),
        paid("T-3", "ana", "eve", "10:07:00"),
        paid("T-4", "ana", "eve", "10:08:00"),
        # Of whom nobody knows anything, nobody is a stranger.
        paid("T-5", "cal", "ben", "10:09:00"),
        paid("T-6", "ana", "dan", "10:10:00", status="failed"),
        paid("T-7", "ana", "dan", "10:11:00", transaction_type="merchantpay"),
    )

    assert strangers_of(followed) == [("ana", "2000 to 1 strangers")] * is_told


def test_whom_a_day_that_is_computed_late_makes_known_is_no_stranger_in_open_windows(followed):
    (followed.rules / "strangers.yaml").write_text(STRANGERS)
    put_rows(
        followed.lake,
        PAIRS_DAILY,
        {"event_date": date(2026, 3, 26), "payer_token": "ana", "payee_token": "cal", "currency": "UGX"},
    )
    followed.write(paid("T-1", "ana", "ben", "10:05:00"))
    assert strangers_of(followed) == [("ana", "1000 to 1 strangers")]

    put_transfer_of_ana_to_ben(followed.lake, date(2026, 3, 25))
    followed.carry()

    assert strangers_of(followed) == []


def test_a_rule_that_is_changed_is_taken_up_for_the_open_windows(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"))
    rules = followed.rules / "rules.yaml"
    rules.write_text(rules.read_text().replace("{name: two, at_least: 2,", "{name: two, at_least: 1,"))

    followed.carry()

    assert followed.found() == [("fan_out", "ana", "two")]


def test_maintenance_keeps_what_alerts_have_still_to_read(followed):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"))
    silver = str(followed.lake.open(SILVER).metadata().id)

    found = readers(followed.lake.path / "_checkpoints", silver)

    assert [(reader.query, reader.version, reader.is_starting) for reader in found] == [("alerts", 2, False)]


def test_a_follower_carries_until_it_is_stopped(followed):
    follower = AlertFollower(followed.writer)
    put_rows(followed.lake, SILVER, paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00"))
    while not followed.found():
        assert follower.isActive

    follower.stop()

    assert not follower.isActive
    assert followed.found() == [("fan_out", "ana", "two")]


def test_what_ends_a_follower_is_raised(followed):
    followed.inbox.is_down = True
    put_rows(followed.lake, SILVER, paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00"))

    with pytest.raises(ConnectionError):
        AlertFollower(followed.writer).awaitTermination()


TIMES = st.sampled_from(["10:01:00", "10:59:59", "11:00:00", "15:00:00", "2026-03-26T10:00:00", "2026-03-28T00:00:00"])
NAMES = st.sampled_from(["ana", "ben", "eve", "joe"])


@st.composite
def commits(draw):
    rows = draw(
        st.lists(st.tuples(NAMES, NAMES, TIMES, st.sampled_from(["100", "95", "2000000"])), min_size=8, max_size=24)
    )
    made = [paid(f"T-{i}", a, b, at, amount) for i, (a, b, at, amount) in enumerate(rows) if a != b]
    cuts = sorted(draw(st.lists(st.integers(0, len(made)), max_size=4)))
    return [part for i, j in zip([0, *cuts], [*cuts, len(made)], strict=True) if (part := made[i:j])]


@settings(max_examples=10, deadline=None, database=None)
@given(batches=commits(), restarts=st.lists(st.booleans(), min_size=6, max_size=6))
def test_alerts_are_those_of_silver_as_a_whole(tmp_path_factory, batches, restarts):
    folder = tmp_path_factory.mktemp("random")
    followed = Followed(Lake(folder / "lake"), folder / "rules")
    (followed.rules / "overlapping.yaml").write_text(OVERLAPPING)
    for batch, is_restart in zip(batches, restarts, strict=False):
        followed.write(*batch)
        if is_restart:
            followed.start()

    if batches:
        assert followed.alerts() == followed.of_all_of_silver()
