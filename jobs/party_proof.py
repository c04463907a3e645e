"""Whether parties of silver are those of bronze: their tokens are made again, one by one, by Python and the keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import pyarrow as pa

from jobs.key_ring import TOKEN, KeyRing
from jobs.msisdn import NumberPlan, read_number_plan
from jobs.tokens import ERASED, silver_party


@dataclass(frozen=True)
class PartyProof:
    """Compares parties of bronze with parties of silver; raises `SettingsError` for a token of a key it has not."""

    ring: KeyRing
    plan: NumberPlan = field(default_factory=read_number_plan)

    def era(self, at: str) -> str:
        """SQL of a number that is the same for times between which no country has changed its phone numbers."""
        changes = (
            f"CASE WHEN {at} < TIMESTAMP '{day:%Y-%m-%dT%H:%M:%SZ}' THEN 1 ELSE 0 END" for day in self.plan.changes_on
        )
        return " + ".join(changes)

    def is_made_of(self, in_silver: str | None, in_bronze: str | None, at: datetime) -> bool:
        """Whether silver's party is what bronze's is made into, at the time of its event."""
        made = re.search(f":{TOKEN}$", in_silver or "")
        tokenise = partial(self.ring.token, key_id=made[1] if made else self.ring.active)
        return silver_party(in_bronze, at, self.plan, tokenise) == in_silver

    def count_others(self, rows: pa.Table) -> int:
        """Rows, `n` of each kind, whose `in_silver` is not made of `in_bronze`."""
        kinds = zip(*(rows[name].to_pylist() for name in ("in_silver", "in_bronze", "at", "n")), strict=True)
        return sum(n for in_silver, in_bronze, at, n in kinds if not self.is_made_of(in_silver, in_bronze, at))

    def same_parties(self, rows: pa.Table, parties: Sequence[str]) -> pa.Array:
        """Which bronze rows name the parties of the silver row beside them, `first_…`.

        Nobody can tell of a person who was erased from silver: it passes for the same.
        """
        same = [True] * rows.num_rows
        for name in parties:
            beside = zip(*(rows[column].to_pylist() for column in (f"first_{name}", name, "event_time")), strict=True)
            for i, (first, party, at) in enumerate(beside):
                same[i] &= first.endswith(f":{ERASED}") or self.is_made_of(first, party, at)
        return pa.array(same, pa.bool_())
