"""Comparisons and benchmarks as text and figures: one file per format."""
