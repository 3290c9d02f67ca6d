"""Scenario files: read them, check them, and expand them into cells, each of which is one training run."""
