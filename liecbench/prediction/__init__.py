"""Prediction of step times from a profile and a schedule, for networks and workers that need not exist."""
