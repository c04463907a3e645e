"""What rules know besides the rows: amounts of each currency, and where agents stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from jobs.alerts.movements import SCALE, Bits, Ints, hashes_of, places_in
from jobs.alerts.rule_files import AMOUNTS, Number, Strict, sentence_of, yaml_of
from jobs.errors import SettingsError
from jobs.insights.reference_files import read_rows
from jobs.insights.reference_tables import Agent
from jobs.msisdn import REFERENCE

AGENTS = "agents.csv"
# Places are kept to a ten-thousandth of a degree, eleven metres.
DEGREE = 10_000


@dataclass(frozen=True)
class Places:
    """Where agents stand: hashes of their ids in order, and degrees north of a pole and east of the antimeridian."""

    agents: Bits = field(default_factory=lambda: np.zeros(0, np.uint64))
    latitude: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    longitude: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def of(self, agents: Bits, degrees: Ints) -> Ints:
        """One of the two for each of these agents, in units of `DEGREE`; 0 for one that nobody has placed."""
        if not len(self.agents):
            return np.zeros(len(agents), np.int64)
        at, is_placed = places_in(self.agents, agents)
        return np.where(is_placed, degrees[at], 0)


@dataclass(frozen=True)
class Facts:
    """What rows do not say: of a currency its reporting limit, what amounts are round to, and commission bands; places.

    Money is in ten-thousandths; a currency that is not named has none, and what needs one counts nothing there.
    """

    limit: Mapping[str, int] = field(default_factory=dict)
    round_to: Mapping[str, int] = field(default_factory=dict)
    commission_tops: Mapping[str, Sequence[int]] = field(default_factory=dict)
    places: Places = field(default_factory=Places)


class _AmountsOfCurrency(Strict):
    reporting_limit: Number
    round_to: Number
    commission_tops: list[Number] = []


def read_facts(folder: Path, reference: Path = REFERENCE) -> Facts:
    """The amounts of a folder of rules, none where it has no file of them, and the places of the agents.

    Raises `SettingsError` that names file and field, or file and line.
    """
    path = folder / AMOUNTS
    written = yaml_of(path) if path.exists() else {}
    try:
        read = {currency: _AmountsOfCurrency.model_validate(values) for currency, values in written.items()}
    except ValidationError as invalid:
        raise SettingsError(sentence_of(str(path), invalid)) from None
    except AttributeError:
        raise SettingsError(f"The file {path} must hold amounts by currency.") from None
    return Facts(
        limit={currency: ten_thousandths(one.reporting_limit) for currency, one in read.items()},
        round_to={currency: ten_thousandths(one.round_to) for currency, one in read.items()},
        commission_tops={
            currency: [ten_thousandths(top) for top in one.commission_tops] for currency, one in read.items()
        },
        places=_places([placed.row for placed in read_rows(reference / AGENTS, Agent)]),
    )


def ten_thousandths(amount: Decimal) -> int:
    """Money as rules count it."""
    return int(amount * SCALE)


def _places(agents: Sequence[Agent]) -> Places:
    hashes = hashes_of([agent.agent_id for agent in agents])
    order = np.argsort(hashes)
    latitude = np.array([round((agent.latitude + 90) * DEGREE) for agent in agents], np.int64)
    longitude = np.array([round((agent.longitude + 180) * DEGREE) for agent in agents], np.int64)
    return Places(hashes[order], latitude[order], longitude[order])
