"""A rank's side of the delay line: tell the process to limit this rank's link, and ask what it counted."""

import json
import socket
from dataclasses import asdict
from typing import Any

from liecbench.network.delay_line import CONTROL_ADDRESS
from liecbench.network.link import Link
from liecbench.network.link_tally import LinkTally

_LONGEST_ANSWER = 2**16


class DelayLineControl:
    """A connection to the delay line's process.

    Create the object in the hub, because the address of the process belongs to the hub's network namespace.

    Args:
        rank: The rank whose link this is.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(CONTROL_ADDRESS)

    def refusal(self) -> str | None:
        """Return the reason why the delay line cannot run: the kernel lacks packet sockets or one of their options.

        Return None if it can run.
        """
        try:
            self._ask({"open": True})
        except OSError as error:
            return str(error)
        return None

    def limit(self, link: Link) -> None:
        """Limit this rank's link. Raises OSError if the kernel has no packet sockets, or lacks one of their options."""
        self._ask({"link": asdict(link)})

    def lift(self) -> None:
        """Remove the limits of this rank's link.

        Frames that are still on the link arrive at once when the limits of all links are removed.
        """
        self._ask({"link": None})

    def tally(self) -> LinkTally:
        """Return the delay line's counts so far, for the links of all ranks."""
        return LinkTally(**self._ask({"tally": True})["tally"])

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        self._socket.send(json.dumps({"rank": self._rank, **request}).encode())
        answer = self._socket.recv(_LONGEST_ANSWER)
        if not answer:
            raise ConnectionResetError("the delay line's process has ended")
        decoded: dict[str, Any] = json.loads(answer)
        if decoded["error"]:
            raise OSError(f"the delay line cannot start: {decoded['error']}")
        return decoded
