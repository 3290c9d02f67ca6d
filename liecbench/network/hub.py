"""Build the network of a launch: one network namespace per worker, joined by a bridge.

The bridge lies in one more namespace, called the hub. A worker's link is a pair of virtual Ethernet interfaces (veth).
One end of the pair is ``eth0`` in the worker's namespace. The other end is a port of the bridge. The hub has a veth
pair of its own, so that processes in the hub can reach the workers.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink.rtnl.ifinfmsg import IFF_NOARP

from liecbench.host.linux import CLONE_NEWNET, enter_network_namespace, unshare
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.neighbours import add_neighbours
from liecbench.network.tcp_window import RECEIVE_MEMORY

INTERFACE: Final = "eth0"
_BRIDGE, _HUB_INTERFACE, _HUB_PORT = "bridge", "hub", "hubport"
_PREFIX: Final = 16
# Half of the token bucket's burst at 1 Gbit/s. Packets of 64 kB would exceed the bucket, so that the shaper would have
# to split every one of them.
LARGEST_PACKET_BYTES: Final = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The network of a launch: one namespace per worker, and a bridge that joins the namespaces.

    The bridge lies in one more namespace, called the hub. The hub is itself a host on the bridge.

    Attributes:
        namespaces: A file descriptor of each worker's namespace, by rank. An open descriptor keeps a namespace alive.
        bridge: The index of the bridge's interface.
        ports: The names of the bridge's ports: first each worker's port, by rank, and last the hub's port.
    """

    namespaces: tuple[int, ...]
    bridge: int
    ports: tuple[str, ...]


def port_name(rank: int) -> str:
    """Return the name of the hub's network interface at the end of a worker's link, such as ``port0`` for rank 0."""
    return f"port{rank}"


def _worker_address(rank: int) -> str:
    return f"10.0.{rank // 250}.{rank % 250 + 1}"


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def interface_index(route: IPRoute, name: str) -> int:
    """Return the index of the interface ``name`` in the namespace of ``route``."""
    return int(route.link_lookup(ifname=name)[0])


# No IPv6, because its neighbour discovery would add to the byte counters.
# TCP Reno, which every kernel has and allows, because the machine's default may be BBR. A flow under BBR that shared a
# shaper with another flow keeps its low rate for seconds, and exchanges took 1.1 to 1.8 times as long as with Reno.
# No slow start after idle, because the time of a step must not depend on how long the computation before it took.
# Large windows, because a link with a delay needs them, and the usual limit differs from machine to machine.
_SETTINGS: Final = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_slow_start_after_idle": "0",
    "ipv4/tcp_rmem": RECEIVE_MEMORY,
}


def _apply_settings() -> None:
    for name, value in _SETTINGS.items():
        with contextlib.suppress(OSError):  # /proc/sys is read-only in some containers
            Path("/proc/sys/net", name).write_text(value)


def _hardware_address(number: int) -> str:
    """Return the hardware (MAC) address of a worker or of the hub; the address ends with ``number``.

    The number of a worker is its rank. The number of the hub is the number of workers.
    """
    return f"02:00:00:00:{number >> 8:02x}:{number & 0xFF:02x}"


def set_loopback_up() -> None:
    """Set the loopback interface of the current network namespace up. Raises OSError or one of pyroute2's errors."""
    with IPRoute() as here:
        here.link("set", index=1, state="up")


def build(num_workers: int) -> Hub:
    """Turn the current network namespace into the hub, and connect ``num_workers`` new namespaces to its bridge.

    Raises:
        OSError: If the kernel refuses a namespace or an interface. pyroute2 may raise errors of its own instead.
    """
    with IPRoute() as hub:
        hub.link("set", index=1, state="up")
        _apply_settings()
        hub.link("add", ifname=_BRIDGE, kind="bridge")
        bridge = interface_index(hub, _BRIDGE)
        # The bridge shares a namespace with the hub's interface, but must not answer for its address.
        hub.link("set", index=bridge, flags=IFF_NOARP, change=IFF_NOARP)
        hub.link("set", index=bridge, state="up", gso_max_size=LARGEST_PACKET_BYTES)
        here = _own_namespace()
        namespaces = [_add_worker(hub, bridge, here, rank) for rank in range(num_workers)]
        hub.link("add", ifname=_HUB_PORT, kind="veth", peer={"ifname": _HUB_INTERFACE})
        hub.link("set", index=interface_index(hub, _HUB_PORT), master=bridge, state="up")
        _set_up_host(hub, _HUB_INTERFACE, num_workers, HUB_ADDRESS)
    _introduce_hosts(here, namespaces)
    os.close(here)
    ports = (*map(port_name, range(num_workers)), _HUB_PORT)
    return Hub(namespaces=tuple(namespaces), bridge=bridge, ports=ports)


def _add_worker(hub: IPRoute, bridge: int, here: int, rank: int) -> int:
    unshare(CLONE_NEWNET)
    try:
        namespace = _own_namespace()
        _apply_settings()
        worker = IPRoute()
    finally:
        enter_network_namespace(here)
    with worker:
        hub.link("add", ifname=port_name(rank), kind="veth", peer={"ifname": INTERFACE, "net_ns_fd": namespace})
        hub.link("set", index=interface_index(hub, port_name(rank)), master=bridge, state="up")
        worker.link("set", index=1, state="up")
        _set_up_host(worker, INTERFACE, rank, _worker_address(rank))
    return namespace


def _set_up_host(route: IPRoute, interface: str, number: int, address: str) -> None:
    index = interface_index(route, interface)
    route.link("set", index=index, address=_hardware_address(number))
    route.addr("add", index=index, address=address, prefixlen=_PREFIX)
    route.link("set", index=index, state="up", gso_max_size=LARGEST_PACKET_BYTES)


def _introduce_hosts(here: int, namespaces: list[int]) -> None:
    """Add the hardware addresses of all other hosts to the ARP table of each worker and of the hub.

    Args:
        here: A file descriptor of the hub's network namespace. The calling thread must be in this namespace.
        namespaces: A file descriptor of each worker's network namespace, by rank.
    """
    addresses = [*map(_worker_address, range(len(namespaces))), HUB_ADDRESS]
    hosts = [(address, _hardware_address(number)) for number, address in enumerate(addresses)]
    add_neighbours(_HUB_INTERFACE, hosts[:-1])
    try:
        for rank, namespace in enumerate(namespaces):
            enter_network_namespace(namespace)
            add_neighbours(INTERFACE, hosts[:rank] + hosts[rank + 1 :])
    finally:
        enter_network_namespace(here)


def refusal_reason(error: BaseException) -> str:
    """Return the kernel's message for a request that it refused with an OSError or one of pyroute2's errors."""
    number: Any = getattr(error, "code", None) or getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
