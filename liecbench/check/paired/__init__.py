"""Paired checks: compare the step times of sides A and B, which train in turn on the same machine."""
