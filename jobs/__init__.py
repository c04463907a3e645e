"""The stream and its tables. Verbs run, nouns are imported.

Verbs: `stream_transactions`, `backfill_transactions`, `maintain_tables`, `validate_tables`, `reconcile_tables`,
`query_tables`, `cli` (momo).
Way of the data: `sources` → `bronze` (+ `rules`) → `silver` (+ `enrichment`) → `gold`, wired in `pipeline`.
The world: `sources` reads Kafka; `ingest` (which `remembered` tells repeats) and `windows` write batches by `lake`;
`maintenance`, `compaction` and `retention` keep tables small, `expectations` checks them, `session` is Spark.
Days anew: `backfill`, by `silver_backfill`, `late_repeats` and `gold_backfill`, which write by `corrections`.
Proof: `reconciliation`. Shared by all: `settings`, `errors`, `command_line`, `shutdown`.
"""
