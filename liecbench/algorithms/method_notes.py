"""Notes for ``docs/methods.md``: facts about methods that the methods' code does not show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodNotes:
    """Facts about one method, each a sentence without a full stop; ``scripts/methods_page.py`` prints them.

    Attributes:
        sends: What a worker sends and receives in a step, and in which steps.
        remembers: What a worker or a server keeps from step to step.
        source: The paper, and the reference code if there is one.
        differs: Where the method differs from its source.
    """

    sends: str
    remembers: str
    source: str
    differs: str
