"""What silver tells of a transaction's parties beside their tokens: the kind of identifier, as GSMA names them."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.tokens import BUSINESSES


def is_of_kind(side: str, keys: Sequence[str]) -> Column:
    """Whether the party of a side (debit, credit) goes by one of these identifiers."""
    return F.substring_index(f"{side}_party", ":", 1).isin(*keys)


def alias_of(side: str) -> Column:
    """The identifier of a party without its kind."""
    party, kind = F.col(f"{side}_party"), F.substring_index(f"{side}_party", ":", 1)
    return F.substring(party, F.length(kind) + 2, F.length(party))


def is_business(side: str) -> Column:
    """Whether the party is a business: known by its alias, not by a token. Who was erased stays a person."""
    return is_of_kind(side, BUSINESSES) & F.col(f"{side}_token").isNull()
