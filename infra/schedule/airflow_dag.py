"""Maintenance, backfill, proof, daily gold and learning by Airflow 3.

Put this file into its folder of DAGs, and set FOLDER.

A task fails with the program's exit code; 73 and 75 say that it may work in a while, so each is tried again.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FOLDER = "/srv/momostream"
TRY_AGAIN = {"retries": 2, "retry_delay": timedelta(minutes=10)}
# One run at a time, and none for times that are past.
ONCE = {"start_date": datetime(2026, 1, 1, tzinfo=UTC), "catchup": False, "max_active_runs": 1}

with DAG("momostream_maintain", schedule="*/15 * * * *", default_args=TRY_AGAIN, **ONCE):
    BashOperator(task_id="maintain", cwd=FOLDER, bash_command="nice .venv/bin/momo maintain --json")

with DAG("momostream_backfill", schedule="40 1 * * *", default_args=TRY_AGAIN, **ONCE):
    # Three days, for a late event may have come to any of them.
    backfill = BashOperator(
        task_id="backfill",
        cwd=FOLDER,
        bash_command=(
            "nice .venv/bin/spark-submit jobs/backfill_transactions.py"
            " --from {{ macros.ds_add(data_interval_end | ds, -3) }} --to {{ data_interval_end | ds }} --json"
        ),
    )
    reconcile = BashOperator(task_id="reconcile", cwd=FOLDER, bash_command="nice .venv/bin/momo reconcile --json")
    insights = BashOperator(
        task_id="insights",
        cwd=FOLDER,
        bash_command=(
            "nice .venv/bin/momo insights"
            " --day {{ macros.ds_add(data_interval_end | ds, -3) }} --to {{ data_interval_end | ds }} --json"
        ),
    )
    backfill >> insights
    learn = BashOperator(
        task_id="learn",
        cwd=FOLDER,
        bash_command="nice .venv/bin/momo learn --day {{ macros.ds_add(data_interval_end | ds, -1) }} --json",
    )
    backfill >> reconcile >> learn
