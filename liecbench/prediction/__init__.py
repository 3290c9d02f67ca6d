"""Prediction of step times, for networks and numbers of workers that are not here, from a profile and a schedule."""
