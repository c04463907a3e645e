"""From a file, a database or an API into Kafka.

`opening` chooses what is read (`source_files`, `source_tables`, `source_pages`), `adapters` translate, `contract`
checks, `pacing` waits, `delivery` sends; `replay` is the wiring.

`simulation` makes the dummy data, `faults` spoils it on purpose; both are pure.
"""
