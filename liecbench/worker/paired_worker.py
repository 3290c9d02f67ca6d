"""Ranks that stay and wait: each line that the command sends is an order, each answer an event.

``open`` builds a cell, ``burst`` trains some of its steps, ``close`` ends it. Other installations of liecbench are
started and ordered in the same way: a change of orders or answers, of a plan or of what a supervisor is told is another
``PROTOCOL``.
"""

from typing import Final

from liecbench.worker import entry

PROTOCOL: Final = 2


def _turns() -> entry.Body:
    from liecbench.worker.timing_session import take_turns

    return take_turns


if __name__ == "__main__":
    entry.run(_turns)
