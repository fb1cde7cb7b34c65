"""Measures, never asserted in a timed test: each prints its figures beside a floor of the same run."""
