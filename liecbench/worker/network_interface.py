"""The machine's network interfaces: the one towards another machine, and its byte counters."""

import socket

import psutil


def interface_towards(address: str) -> str:
    """Return the name of the interface through which this machine reaches ``address``.

    Raises:
        OSError: If there is no route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(found.family == socket.AF_INET and found.address == own for found in addresses):
            return name
    raise OSError(f"no network interface has the address {own}")


def carried_bytes(interface: str) -> tuple[int, int]:
    """Return the bytes that ``interface`` has sent and received since it is up."""
    # Without nowrap=False psutil would keep what it has seen before, per process, and add it after a reset.
    counters = psutil.net_io_counters(pernic=True, nowrap=False)[interface]
    return counters.bytes_sent, counters.bytes_recv
