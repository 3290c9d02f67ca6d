"""The datasets and models that a scenario can train, and the base classes for adding more."""
