"""A resident rank of one side of a paired comparison: it reads one order per line and answers each with an event.

The other side may be another version of liecbench. Increase ``PROTOCOL`` with every change of ``launch.messages``, of
this module's name, or of the supervisor's arguments: both sides must have the same.
"""

from typing import Final

from liecbench.launch.messages import PairedPlan
from liecbench.worker import entry

PROTOCOL: Final = 4


def _import_body() -> entry.Body[PairedPlan]:
    from liecbench.worker.timing_session import obey_orders

    return obey_orders


if __name__ == "__main__":
    entry.run(PairedPlan, _import_body)
