"""Start the process that emulates all links of a launch.

The new process takes real-time priority if permitted. The kernel ends the new process when its parent ends.
"""

import contextlib
import gc
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from liecbench.host import linux
from liecbench.network.delay_line import DelayLine
from liecbench.network.hub import Hub

CONTROL_ADDRESS: Final = "\0liecbench-delay-line"
_REAL_TIME_PRIORITY: Final = 2
_MAX_WAITING: Final = 1024


def start(hub: Hub, core: int | None, unused: Sequence[int] = ()) -> int:
    """Fork the process that emulates links, and return its PID.

    The caller must be in the network namespace of ``hub``. When the caller dies, the new process dies, too.

    Args:
        hub: The network of the launch.
        core: The CPU core to run on; None if the process may use all cores that its parent may.
        unused: File descriptors that the process closes.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(CONTROL_ADDRESS)
    listener.listen(_MAX_WAITING)
    parent = os.getpid()
    child = os.fork()
    if child:
        listener.close()
        return child
    try:
        linux.die_with_parent(parent)
        for descriptor in unused:
            os.close(descriptor)
        _be_on_time(core)
        DelayLine(listener, hub.bridge, hub.ports).run()
    except BaseException:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(1)


def _be_on_time(core: int | None) -> None:
    linux.set_process_name("liec-delay-line")
    linux.set_timer_slack(1)
    with contextlib.suppress(OSError):  # only root may: frames are then late less often on a busy machine
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REAL_TIME_PRIORITY))
    if core is not None:
        os.sched_setaffinity(0, {core})
    gc.disable()  # the loop creates no cyclic garbage, and a collection would delay frames
