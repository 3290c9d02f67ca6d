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

NETEM_REMEDY: Final = "load the module sch_netem (package linux-modules-extra or kernel-modules-extra)"
_PROBE_SECONDS: Final = 30


def require_netem(links: Iterable[LinkMap]) -> None:
    """Raise MachineError if a link asks for delay, jitter or loss and the kernel lacks the netem module.

    If such a link is asked for, shape a link for a moment to find out. If this fails for another reason, do not raise.
    """
    asking = next((link for link in links if link.needs_netem), None)
    if asking is None or probe_link().get("netem", True):
        return
    message = f"link {asking}: delay, jitter and loss need the kernel's netem, which this kernel lacks"
    raise MachineError(message, f"{NETEM_REMEDY}, or give a link without delay, jitter and loss")


def probe_link() -> dict[str, Any]:
    """Build a shaped link as a run does, measure its rates, and remove the link.

    Returns:
        The report of ``liecbench.diagnostics.link_probe``: ``"asked"``, ``"measured"`` rates, and whether the kernel
        has ``"netem"``. If the probe failed, only ``"reason"``.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "liecbench.diagnostics.link_probe"]
    orders = Orders(parent=os.getpid(), events=writing, num_links=1, command=command)
    process = subprocess.Popen(
        orders.arguments(), pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(writing)
    try:
        _, printed = process.communicate(timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return {"reason": f"building a link took more than {_PROBE_SECONDS} s"}
    with os.fdopen(reading) as events:
        line = events.readline()
    last = printed.decode(errors="replace").strip().rpartition("\n")[2]
    return json.loads(line) if line else {"reason": last or "the probe printed nothing"}
