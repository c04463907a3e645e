"""The suite runs in two workers, each with its own Spark session and broker; see `addopts` in pyproject.toml."""

import sys

# PySpark takes a process whose main module has no file for a run of its doctests, and ends it; a worker is such a one.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__
