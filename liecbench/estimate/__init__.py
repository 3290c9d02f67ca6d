"""Estimate the bytes and seconds of a run before and while it runs."""
