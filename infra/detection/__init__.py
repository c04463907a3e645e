"""What the fraud rules are worth: their alerts against planted cases, of which the truth is known (docs/detection.md).

`truth` reads the manifest, `measure` counts (pure), `estimates` says how sure that is, `report` shows it.
"""
