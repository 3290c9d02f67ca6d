"""Renderers of a gate's outcome."""
