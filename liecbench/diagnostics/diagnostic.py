"""One diagnostic of ``liecbench doctor``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A feature of the machine, and whether the feature works.

    Attributes:
        name: The feature, such as ``gloo``.
        works: True if the feature works.
        seen: The finding, for example a version.
        remedy: Advice for the user if the feature does not work.
    """

    name: str
    works: bool
    seen: str
    remedy: str = ""
