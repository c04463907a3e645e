"""The stream and its tables. Verbs run, nouns are imported.

Verbs: `stream_transactions`, `backfill_transactions`, `maintain_tables`, `validate_tables`, `reconcile_tables`,
`quarantine_events`, `trace_transaction`, `query_tables`, `manage_keys`, `erase_person`, `train_anomaly_model`,
`learn_from_tables`, `cli` (momo).
Way of the data: `sources` → `bronze` (+ `rules`) → `silver` (+ `enrichment`) → `gold`, wired in `pipeline`.
Privacy: `msisdn` and `tokens` (by `key_ring`, `keyed_hash`) make silver's tokens, `erasure` (of `persons`) takes out.
The world: `sources` reads Kafka; `ingest` (which `remembered` tells repeats) and `windows` write batches by `lake`;
`maintenance`, `compaction` and `retention` keep tables small, `expectations` checks them, `session` is Spark.
Days anew: `backfill`, by `silver_backfill`, `late_repeats` and `gold_backfill`, which write by `corrections`.
The way back: `quarantine` knows the refused rows, `retry` looks at them again; `tracing` follows one transaction.
Loud faults: `checkpoints` and `provenance` say what was, `inspection` compares, `recovery` is the way on,
`stream_faults` are Spark's errors as sentences.
Learned of gold and silver, without Spark: `learning`.
Proof: `reconciliation` (+ `party_proof`, `money_proof`).
Shared by all: `settings`, `errors`, `command_line`, `shutdown`.
"""
