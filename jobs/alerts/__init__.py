"""Alerts: rules as data over silver's rows, in tumbling windows of event time.

`movements` turns silver rows into what happened to a person, an agent or a pair of parties; `vocabulary` names what
can be measured of that; `rulebook` reads the rules; `totals` adds measures up; `evaluation` says which rules fire.
These are pure. `alert_table`, `following`, `alert_backfill` and `alert_topic` touch the world.
"""
