"""What the lake knows of planted cases: their rows of silver, all traffic, and the alerts."""

from collections.abc import Sequence

import pyarrow as pa

from infra.detection.measure import PARTY_COLUMNS, Traffic
from infra.detection.truth import PlantedCase
from jobs.lake import Lake, text
from schemas.tables import SILVER

# So many texts in a query are read in a fraction of a second.
REFERENCES_AT_ONCE = 5_000


def read_alerts(lake: Lake) -> pa.Table:
    """All alerts, of active and of shadow rules."""
    return lake.query("""
        SELECT alert_id, rule_id, state, entity, window_start, window_end, first_event_time, transaction_references
        FROM alerts
    """)


def read_parties(lake: Lake, cases: Sequence[PlantedCase]) -> pa.Table:
    """Who took part in the completed transactions of the cases, one row each."""
    references = [reference for case in cases for reference in case.transaction_references]
    columns = ", ".join(PARTY_COLUMNS)
    parts = [
        lake.query(f"""
            SELECT transaction_reference, {columns} FROM {SILVER.name}
            WHERE status = 'completed' AND transaction_reference IN ({", ".join(map(text, some))})
        """)
        for some in (
            references[first : first + REFERENCES_AT_ONCE] for first in range(0, len(references), REFERENCES_AT_ONCE)
        )
    ]
    schema = pa.schema([(name, pa.string()) for name in ("transaction_reference", *PARTY_COLUMNS)])
    return pa.concat_tables([schema.empty_table(), *parts])


def read_traffic(lake: Lake) -> Traffic:
    """Completed transactions, and the days of each customer on which there was one of theirs."""
    completed = f"FROM {SILVER.name} WHERE status = 'completed'"
    return Traffic(
        transactions=lake.value(f"SELECT count(*) {completed}"),
        customer_days=lake.value(f"""
            SELECT count(*) FROM (
                SELECT event_date, debit_token {completed} AND debit_token IS NOT NULL
                UNION SELECT event_date, credit_token {completed} AND credit_token IS NOT NULL
            )
        """),
    )
