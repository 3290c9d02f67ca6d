"""A rank's control of the delay line, the process that emulates links: limit the rank's link, and read counts."""

import json
import socket
from dataclasses import asdict
from typing import Any

from liecbench.network.delay_line_process import CONTROL_ADDRESS
from liecbench.network.link import Link
from liecbench.network.link_tally import LinkTally

_LONGEST_ANSWER = 2**16


class DelayLineControl:
    """A rank's connection to the delay line, the process that emulates links by delaying frames.

    Create the object in the hub, the network namespace that joins all ranks: the process is reachable only there.

    Args:
        rank: The rank whose link ``limit`` and ``lift`` change.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(CONTROL_ADDRESS)

    def refusal(self) -> str | None:
        """Return the reason why the process cannot emulate links, such as missing packet sockets; None if it can."""
        try:
            self._ask({"open": True})
        except OSError as error:
            return str(error)
        return None

    def limit(self, link: Link) -> None:
        """Limit this rank's link to the rates of ``link``, and emulate the delay, jitter and loss of ``link``.

        Raises OSError if the kernel has no packet sockets, or lacks one of their options.
        """
        self._ask({"link": asdict(link)})

    def lift(self) -> None:
        """Remove the rate limit, delay, jitter and loss of this rank's link.

        Frames that are already on the link still arrive with their delay. But if this was the last limited link, the
        frames on all ranks' links arrive immediately.
        """
        self._ask({"link": None})

    def tally(self) -> LinkTally:
        """Return the delay line's counts since its start, such as the segments lost on the links of all ranks."""
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
