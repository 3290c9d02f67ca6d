"""Runs of a scenario's matrix: what the command ``liecbench run`` and the function ``liecbench.run`` do."""
