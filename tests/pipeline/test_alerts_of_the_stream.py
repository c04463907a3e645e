"""The pipeline's alerts: written with the other tables, the same as a backfill's, and off where the settings say so."""

from jobs.pipeline import Pipeline
from tests.backfills import backfilled, changes
from tests.builders import KAFKA_SCHEMA, SETTINGS, gsma

PAYEES = [f"25675123450{i}" for i in range(9)]


def fan_out(hour, first=0, count=9, day=27):
    """A payer and as many payees, a minute apart, each with a little more than the one before."""
    return [
        gsma(
            transactionReference=f"T-{day}-{hour}-{i}",
            creationDate=f"2026-03-{day}T{hour}:{10 + i}:00Z",
            amount=str(60000 + 1000 * i),
            creditParty=[{"key": "msisdn", "value": PAYEES[i]}],
        )
        for i in range(first, first + count)
    ]


def found(stream):
    return stream.rows("SELECT rule_id, band, window_start FROM alerts WHERE rule_id = 'fan_out' ORDER BY window_start")


def test_the_alerts_of_a_stream_are_those_of_a_backfill(stream):
    stream.run(*fan_out("10", 0, 5))
    stream.run(*fan_out("10", 5, 4), *fan_out("15"), b"{")
    # Late ones: of an hour that has alerts, of one that has not, of the day before; and repeats, which change nothing.
    large = gsma(amount="5000000", creationDate="2026-03-26T09:00:00Z")
    stream.run(*fan_out("08"), *fan_out("20", day=26), *fan_out("15", 0, 3), large)

    # Twice each, for the windows of an hour overlap by half.
    hours = ["26 19:30", "26 20:00", "27 07:30", "27 08:00", "27 09:30", "27 10:00", "27 14:30", "27 15:00"]
    assert [start.strftime("%d %H:%M") for _, _, start in found(stream)] == hours
    done = backfilled(stream, SETTINGS, "2026-03-26", "2026-03-28", "alerts")
    assert changes(done) == {}
    assert [one.looked_at > 0 for one in done] == [True, True]


def test_alerts_name_no_person_but_by_token(stream):
    stream.run(*fan_out("10"))

    told = str(stream.rows("SELECT * FROM alerts"))
    assert "k1_" in told
    assert not any(number in told for number in ["256777123456", *PAYEES])


def test_a_stream_without_alerts_leaves_them_to_a_backfill(stream):
    stream.send(*fan_out("10"))
    off = SETTINGS.model_copy(update={"stream": SETTINGS.stream.model_copy(update={"alerts": False})})
    topic = stream.spark.readStream.schema(KAFKA_SCHEMA).parquet(str(stream.topic))
    Pipeline(stream.spark, stream.lake, off, topic).run_available()
    assert found(stream) == []

    done = backfilled(stream, SETTINGS, "2026-03-27", "2026-03-28", "alerts")

    assert changes(done)["27", "alerts"] == (0, len(stream.rows("SELECT * FROM alerts")), 0)
    assert [start.strftime("%H:%M") for _, _, start in found(stream)] == ["09:30", "10:00"]
    assert changes(backfilled(stream, SETTINGS, "2026-03-27", "2026-03-28", "alerts")) == {}
