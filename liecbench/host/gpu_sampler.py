"""A process that samples a machine's GPUs while its ranks train: ``python -P -m liecbench.host.gpu_sampler UUID…``.

The UUIDs name the GPUs to sample. Everything that the process prints is lines of JSON. The first line is null if the
process is ready. Otherwise the first line is NVML's error message, and the process exits.

The process reads orders from standard input. The line ``begin`` starts a window of time. The line ``end`` ends the
window, and the process prints an object with the window's figures, such as ``{"energy_joules": 410.5}``. End of file
ends the process.

Joules, watts and bytes are sums over the GPUs, but peak memory is the maximum. Shares (from 0 to 1) and clocks are
means over the GPUs. A figure that one of the GPUs does not support is left out. The figures are:

- ``utilisation``: share of time in which a kernel ran
- ``sm_clock_hertz``: mean clock of the streaming multiprocessors
- ``peak_memory_bytes``: largest memory in use on one GPU, by all processes
- ``energy_joules``: from the GPU's energy counter; without a counter, mean of power samples × the window's seconds
- ``power_watts``: ``energy_joules`` ÷ the window's seconds
- ``pcie_sent_bytes`` (leaving the GPU) and ``pcie_received_bytes``: from the GPU's counters; without counters, the mean
  of rate samples × the window's seconds
- ``nvlink_sent_bytes``, ``nvlink_received_bytes``: payload on all NVLinks
- ``throttled_share``: share of samples in which NVML names a reason for lowered clocks. An idle GPU, and clocks that an
  application set, are not counted as reasons.
- ``throttled_<reason>_share``, such as ``throttled_power_cap_share``: share of samples in which NVML names this reason
"""

import contextlib
import json
import math
import os
import select
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from liecbench.host.gpu import full_uuid, nvml
from liecbench.host.gpu_window import Window
from liecbench.host.linux import die_with_parent

SAMPLE_SECONDS: Final = 0.1
_SUMMED: Final = ("_bytes", "_joules", "_watts")


def combined(parts: Sequence[dict[str, float] | None]) -> dict[str, float] | None:
    """Return the combined figures of several GPUs or machines; None if there are no parts or a part is None.

    Bytes, joules and watts are added up. Peak memory is the maximum. Shares and clocks are means over the parts. A
    figure that a part lacks is left out, with one exception: in a part that has ``throttled_share``, a missing
    ``throttled_<reason>_share`` counts as 0.
    """
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    figures = {}
    for name in dict.fromkeys(name for part in known for name in part):
        values = [_value(part, name) for part in known]
        given = [value for value in values if value is not None]
        if len(given) < len(values):
            continue
        if name.startswith("peak_"):
            figures[name] = max(given)
        else:
            figures[name] = math.fsum(given) if name.endswith(_SUMMED) else statistics.fmean(given)
    return figures


def _value(part: dict[str, float], name: str) -> float | None:
    no_reason = 0.0 if name.startswith("throttled_") and "throttled_share" in part else None
    return part.get(name, no_reason)


def serve(handles: Sequence[Any]) -> None:
    """Sample GPUs in windows of time, until standard input ends.

    The line ``begin`` on standard input starts a window. In a window, all GPUs are sampled every ``SAMPLE_SECONDS``.
    The line ``end`` ends the window, and one line of JSON is printed: an object with each metric's sum, mean or maximum
    over all GPUs, such as ``{"energy_joules": 410.5}``. If ``end`` comes without a ``begin``, ``null`` is printed.

    Args:
        handles: NVML's handles of the GPUs.
    """
    windows: list[Window] = []
    due = math.inf
    unread = b""
    while True:
        left = None if due == math.inf else max(0.0, due - time.monotonic())
        if not select.select([0], [], [], left)[0]:
            for window in windows:
                window.sample()
            due += SAMPLE_SECONDS * (1 + (time.monotonic() - due) // SAMPLE_SECONDS)
            continue
        if not (read := os.read(0, 4096)):
            return
        *orders, unread = (unread + read).split(b"\n")
        for order in orders:
            if order == b"begin":
                windows = [Window(handle) for handle in handles]
                due = time.monotonic() + SAMPLE_SECONDS
            elif order == b"end":
                figures = combined([window.end() for window in windows])
                windows, due = [], math.inf
                _say(figures)


def _say(content: dict[str, float] | str | None) -> None:
    print(json.dumps(content), flush=True)


def main(uuids: Sequence[str]) -> None:
    """Carry out the orders on standard input until standard input ends.

    The module's docstring describes the orders. If NVML fails, print NVML's error message and return.

    Args:
        uuids: The UUIDs of the GPUs, each with or without the prefix ``GPU-``.
    """
    import pynvml

    die_with_parent()
    with contextlib.suppress(BrokenPipeError):
        try:
            with nvml():
                handles = [pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in dict.fromkeys(map(full_uuid, uuids))]
                _say(None)
                serve(handles)
        except pynvml.NVMLError as error:
            _say(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
