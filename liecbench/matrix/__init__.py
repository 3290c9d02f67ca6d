"""Runs of a scenario's matrix, for the command ``liecbench run`` and the function ``liecbench.run``."""
