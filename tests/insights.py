"""Silver rows for the daily tables: a test says who pays whom, how much and when."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from schemas.tables import SILVER

OPERATORS = {"KE": "Safaricom", "UG": "MTN", "GH": "MTN"}
# What the aliases of businesses begin with, and how GSMA calls such a party.
BUSINESSES = {"AG": "identityalias", "MER": "storeid", "BIL": "serviceprovider", "ORG": "organisationid"}


def step(reference: str, kind: str, payer: str, payee: str, amount: str, at: str, **changes: Any) -> dict[str, Any]:
    """A row of silver: "ke1" is a person with a number of Kenya, "AG-1" a business, "bank:ke1" a person's bank account."""
    time = datetime.fromisoformat(at).replace(tzinfo=UTC)
    business = payer if kind == "deposit" else payee if kind == "withdrawal" else None
    row = {
        "transaction_reference": reference,
        "status": "completed",
        "transaction_type": kind,
        "amount": Decimal(amount),
        "currency": "KES",
        "fee_amount": Decimal(0),
        "agent_id": business,
        "channel": "ussd",
        "event_time": time,
        "event_date": time.date(),
        **_party("debit", payer),
        **_party("credit", payee),
    } | changes
    return row | {"fee_amount": Decimal(row["fee_amount"])}


def _party(side: str, name: str) -> dict[str, Any]:
    if (prefix := name.partition("-")[0]) in BUSINESSES:
        found = {"party": f"{BUSINESSES[prefix]}:{name}", "token": None, "country": "none", "operator": "none"}
    elif name.startswith("bank:"):
        token = f"k1_{name.replace(':', '')}"
        found = {"party": f"bankaccountno:{token}", "token": token, "country": "none", "operator": "none"}
    else:
        country = name[:2].upper()
        token = f"k1_{name}"
        found = {"party": f"msisdn:{token}", "token": token, "country": country, "operator": OPERATORS[country]}
    return {f"{side}_{what}": value for what, value in found.items()}


def silver_frame(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """These rows as silver has them; a column that a row does not name is null."""
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema=to_arrow_schema(SILVER.schema, timezone="UTC")))
