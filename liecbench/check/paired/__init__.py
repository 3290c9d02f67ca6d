"""Paired checks: compare the step times of two sides, A and B, which train in turn on the same machine.

A side is a scenario, a git revision or a Python interpreter.
"""
