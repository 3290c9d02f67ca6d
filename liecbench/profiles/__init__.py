"""Profiles: the seconds that one device by itself takes to compute a step of one model and to compress gradients."""
