"""What silver knows of planted cases: who took part, and all the traffic around them. Pure."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from infra.detection.measure import PARTY_COLUMNS, Traffic
from infra.detection.truth import PlantedCase

# Of silver's completed rows, what is looked at.
COLUMNS = ("transaction_reference", "event_date", *PARTY_COLUMNS)


def parties_of(completed: pa.Table, cases: Sequence[PlantedCase]) -> pa.Table:
    """The completed transactions of the cases, and who took part in each."""
    references = pa.array([one for case in cases for one in case.transaction_references], pa.string())
    is_planted = pc.is_in(completed["transaction_reference"], value_set=references)
    return completed.filter(is_planted).select(["transaction_reference", *PARTY_COLUMNS])


def traffic_of(completed: pa.Table) -> Traffic:
    """How many completed transactions there are, and on how many days each customer had a part in one."""
    sides = [
        completed.select(["event_date", f"{side}_token"]).rename_columns(["event_date", "token"])
        for side in ("debit", "credit")
    ]
    customers = pa.concat_tables(sides).drop_null()
    return Traffic(completed.num_rows, customers.group_by(["event_date", "token"]).aggregate([]).num_rows)
