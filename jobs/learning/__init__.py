"""Statistics and learning over gold and silver, without Spark: `momo learn` and `momo train` (docs/learning.md).

Pure: `measures` and `anomalies` judge windows, `liquidity` forecasts an agent's float, `features` and `isolation` score
days, `segments` sorts customers. Arrow or pandas in, Arrow out.
The world: `history` reads the tables, `day_tables` writes a day of one, `models` keeps what was trained, `floats` reads
a file; `days` is the wiring.
"""
