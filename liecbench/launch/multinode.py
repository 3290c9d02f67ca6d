"""Runs on several machines: all other machines connect to the first one, and launch ranks at its orders."""

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from liecbench import __version__
from liecbench.errors import LiecbenchError, MachineError
from liecbench.launch.channel import decode, encode
from liecbench.launch.orders import NodeOrder, NodeRefused

_DEFAULT_PORT = 29400
_JOIN_SECONDS = 300.0
_RETRY_SECONDS = 0.5
_GREETING_SECONDS, _LONGEST_GREETING = 5.0, 200
# A machine that loses its power or network closes no connection. Probes find that it is gone after two minutes.
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
)
_ANSWERS: Final[tuple[type[NodeOrder | NodeRefused], ...]] = (NodeOrder, NodeRefused)
_AGAIN = "run the same command on all again"
_REMEDY = "give --master ADDRESS or ADDRESS:PORT of the first machine, the same on all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The ``count`` machines of a run; this machine is number ``rank``, counted from 0.

    The first machine, number 0, is at ``address``. The other machines connect to ``port`` there and receive the first
    machine's orders; torchrun's ranks rendezvous at ``port + 1``.
    """

    count: int
    rank: int
    address: str
    port: int

    @classmethod
    def parse(cls, count: int, rank: int, master: str | None) -> Self:
        """Return the machines of a run, given the values of ``--nodes``, ``--node-rank`` and ``--master``.

        ``master`` is None if the option is missing.

        Raises:
            LiecbenchError: An option is missing or its value is not possible.
        """
        if master is None:
            raise LiecbenchError(f"--nodes {count}: the address of the first machine is missing", _REMEDY)
        if not 0 <= rank < count:
            raise LiecbenchError(f"--node-rank {rank}: not one of {count} machines", f"give 0 to {count - 1}")
        address, _, port = master.partition(":")
        if not address or (port and not (port.isdecimal() and 0 < int(port) < 2**16 - 1)):
            raise LiecbenchError(f"--master {master}: not an address", _REMEDY)
        return cls(count=count, rank=rank, address=address, port=int(port or _DEFAULT_PORT))


class Leader:
    """The first machine's connections to all other machines.

    Entering the context waits until every other machine has connected. Leaving the context closes the connections.

    Entering raises MachineError if a machine has not connected after five minutes, or if the address or port is not
    usable.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._others: dict[int, socket.socket] = {}
        self._refused: list[str] = []

    def __enter__(self) -> Self:
        nodes = self.nodes
        try:
            listener = socket.create_server((nodes.address, nodes.port))
        except OSError as error:
            message = f"--master {nodes.address}:{nodes.port}: {error.strerror}"
            raise MachineError(message, "give an address of this machine, and a port that is free") from None
        try:
            with listener:
                self._gather(listener)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for other in self._others.values():
            other.close()

    def send(self, order: NodeOrder) -> None:
        """Send an order to every other machine. Raises MachineError if a machine has closed its connection."""
        for rank, other in self._others.items():
            try:
                # A machine sends nothing after its greeting: a readable socket is one that the machine has closed.
                if select.select([other], [], [], 0)[0]:
                    raise ConnectionResetError
                other.sendall(encode(order).encode() + b"\n")
            except OSError:
                raise MachineError(f"machine {rank} is gone", _AGAIN) from None

    def _gather(self, listener: socket.socket) -> None:
        """Wait until every other machine has connected. If a machine connects again, keep only its last connection.

        A machine with another version of liecbench or another ``--nodes`` is refused, and told why.
        """
        deadline = time.monotonic() + _JOIN_SECONDS
        while len(self._others) < self.nodes.count - 1:
            listener.settimeout(max(0.0, deadline - time.monotonic()))
            try:
                other, _ = listener.accept()
            except (TimeoutError, BlockingIOError):
                message = f"{len(self._others) + 1} of {self.nodes.count} machines came within {_JOIN_SECONDS:.0f} s"
                message += "".join(f"; one was refused: {reason}" for reason in dict.fromkeys(self._refused))
                raise MachineError(message, "start the same command on the others, each its --node-rank") from None
            rank = self._rank_of(other)
            if rank is None:
                other.close()
                continue
            if rank in self._others:
                _refuse(self._others[rank], f"another machine with --node-rank {rank} came later")
                self._others[rank].close()
            self._others[rank] = other

    def _rank_of(self, other: socket.socket) -> int | None:
        """Return the ``--node-rank`` of the machine that has connected over ``other``; None if it cannot take part.

        A machine cannot take part in any of these cases:

        - The machine sends no valid greeting.
        - Its version of liecbench, or its ``--nodes``, differs from this machine's.
        - Its ``--node-rank`` is not between 1 and ``--nodes`` − 1.
        """
        other.settimeout(_GREETING_SECONDS)
        try:
            said = json.loads(other.recv(_LONGEST_GREETING))
        except (OSError, ValueError):
            return None
        other.settimeout(None)
        expected = _greeting(self.nodes.count, 0)
        if not isinstance(said, dict) or said.keys() != expected.keys():
            return None
        rank = said.pop("node_rank")
        for name, option in (("liecbench", "liecbench"), ("nodes", "--nodes")):
            if said[name] != expected[name]:
                reason = f"it has {option} {said[name]}, and the first machine has {option} {expected[name]}"
                self._refused.append(reason)
                _refuse(other, reason)
                return None
        _keep_alive(other)
        return rank if rank in range(1, self.nodes.count) else None


def _greeting(count: int, rank: int) -> dict[str, object]:
    return {"liecbench": __version__, "nodes": count, "node_rank": rank}


def _refuse(other: socket.socket, reason: str) -> None:
    with contextlib.suppress(OSError):  # it may be gone
        other.sendall(encode(NodeRefused(reason=reason)).encode() + b"\n")


def _keep_alive(connection: socket.socket) -> None:
    for level, option, value in _KEEP_ALIVE:
        connection.setsockopt(level, option, value)


def orders(nodes: Nodes) -> Iterator[NodeOrder]:
    """Connect to the first machine, and yield its orders until that machine closes the connection.

    Raises MachineError if the first machine cannot be reached or refuses this machine, or if the connection fails.
    """
    place = f"--master {nodes.address}:{nodes.port}"
    with contextlib.closing(_reach(nodes, place)) as leader, leader.makefile("r", encoding="utf-8") as lines:
        try:
            leader.sendall(json.dumps(_greeting(nodes.count, nodes.rank)).encode() + b"\n")
            for line in lines:
                order = decode(line, *_ANSWERS)
                if isinstance(order, NodeRefused):
                    message = f"{place}: the first machine refuses this one: {order.reason}"
                    raise MachineError(message, "run the same command of the same liecbench, each its --node-rank")
                yield order
        except OSError:
            raise MachineError(f"{place}: the first machine is gone", _AGAIN) from None


def _reach(nodes: Nodes, place: str) -> socket.socket:
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        try:
            leader = socket.create_connection((nodes.address, nodes.port))
            _keep_alive(leader)
            return leader
        except OSError as error:
            if time.monotonic() > deadline:
                message = f"{place}: {error.strerror or error}"
                raise MachineError(message, "start the same command there with --node-rank 0") from None
        time.sleep(_RETRY_SECONDS)
