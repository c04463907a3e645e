"""From a file into Kafka: `sources` reads, `contract` checks, `pacing` waits, `delivery` sends; `replay` is the wiring.

`simulation` makes the dummy data, `faults` spoils it on purpose; both are pure.
"""
