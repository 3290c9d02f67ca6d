"""The regression gate of `liecbench check`.

The gate compares results with a stored baseline, or side B with side A in paired measurements. A side is a scenario, a
git revision or a Python interpreter.
"""
