"""One diagnostic of ``liecbench doctor``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing that runs need from the machine, and whether it works.

    Attributes:
        name: The thing, such as ``gloo``.
        works: Whether it works.
        seen: The finding, for example a version.
        remedy: Advice for the user if it does not work.
    """

    name: str
    works: bool
    seen: str
    remedy: str = ""
