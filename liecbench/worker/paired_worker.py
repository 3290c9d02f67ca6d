"""The program of each rank in a paired comparison, in which ``liecbench check`` times A and B in turns.

A and B are two scenarios or two versions of liecbench, each with its own ranks. Rank 0 of A and rank 0 of B read orders
from the ``liecbench`` command, one per line, and answer each order with an event.

Only versions with equal ``PROTOCOL`` can be compared. Increase ``PROTOCOL`` if you change this module's name,
``TemplateSettings``, or the format of an order, of an event, or of ``PairedPlan``, from which a rank starts. A new
field of an event, if it has a default, is no such change: older versions ignore it.
"""

from typing import Final

from liecbench.launch.plans import PairedPlan
from liecbench.worker import entry

PROTOCOL: Final = 5


def _import_body() -> entry.Body[PairedPlan]:
    from liecbench.worker.timing_session import obey_orders

    return obey_orders


if __name__ == "__main__":
    entry.run(PairedPlan, _import_body)
