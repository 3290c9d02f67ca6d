"""A rank of one side of a paired comparison: it stays, obeys one order per line and answers each with an event.

Other installations of liecbench are started and ordered in the same way. Increase ``PROTOCOL`` with every change of
``launch.messages``, of the module that is started, or of what the supervisor is told: sides must speak the same.
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
