"""Find out whether the kernel supports shaped links, by building a link as a run does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, Final

from liecbench.errors import MachineError
from liecbench.launch.supervisor import Orders
from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator

NETEM_REMEDY: Final = "load the module sch_netem (package linux-modules-extra or kernel-modules-extra)"
DELAY_LINE_REMEDY: Final = "allow packet sockets: CONFIG_PACKET or the module af_packet in the kernel, and CAP_NET_RAW"
_PROBE_SECONDS: Final = 30


def require_emulator(asked: Iterable[tuple[LinkMap, Emulator]]) -> None:
    """Raise MachineError if a link needs an emulator (netem or the delay line) that does not work with this kernel.

    A link needs an emulator if it has delay, jitter or loss, or if the scenario asks for the delay line. For such
    links, the kernel is tested by building a link for a moment. If the test cannot be run, no error is raised.

    Args:
        asked: The links of each cell, with the emulator that the scenario asks for.
    """
    needing = {(link, emulator) for link, emulator in asked if link.needs_latency or emulator == "delay_line"}
    report = probe_link() if needing else {}
    if "delay_line" not in report:
        return
    reason = report["delay_line"].get("reason")
    for link, emulator in needing:
        if emulator == "netem" and link.needs_latency and not report["netem"]:
            message = f"link {link}: emulator: netem needs the kernel's netem, which this kernel lacks"
            raise MachineError(message, f"{NETEM_REMEDY}, or use emulator: delay_line")
        if reason and (emulator == "delay_line" or (emulator == "auto" and not report["netem"])):
            message = f"link {link}: {reason}"
            raise MachineError(message, f"{DELAY_LINE_REMEDY}, or give links without delay, jitter and loss")


def probe_link() -> dict[str, Any]:
    """Build a shaped link as a run does, measure its rates, and remove the link.

    Returns:
        ``"asked"``: the link in the form of a scenario file. ``"measured"``: its rates (bits per second) and round trip
        (seconds). ``"delay_line"``: the requested and the measured round trip over a link with a delay, or the reason
        why there is no delay line. ``"netem"``: whether the kernel has netem. If the probe failed, only ``"reason"``.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "liecbench.diagnostics.link_probe"]
    orders = Orders(parent=os.getpid(), events=writing, num_links=1, command=command)
    with (
        os.fdopen(reading) as events,
        subprocess.Popen(
            orders.arguments(), pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process,
    ):
        os.close(writing)
        try:
            _, printed = process.communicate(timeout=_PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return {"reason": f"building a link took more than {_PROBE_SECONDS} s"}
        line = events.readline()
    last = printed.decode(errors="replace").strip().rpartition("\n")[2]
    return json.loads(line) if line else {"reason": last or "the probe printed nothing"}
