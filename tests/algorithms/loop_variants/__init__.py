"""Training loops, models and optimizers as people have them, each trained for a few steps with a method.

``python -m tests.algorithms.loop_variants.table`` prints the table of all variants and methods.
"""
