"""Comparisons, benchmarks and diagnostics as text and figures: one file per format."""
