"""Benchmarks: contestants over one topic, a roofline, and the age of what readers see."""
