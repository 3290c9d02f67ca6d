"""Microbenchmarks, each against its physical limit measured in the same run."""
