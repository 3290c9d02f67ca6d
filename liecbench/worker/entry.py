"""The main function of a rank's process: end with the parent, enter the network namespace, and carry out the plan."""

import atexit
import contextlib
import errno
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from liecbench.host.linux import die_with_parent
from liecbench.launch.channel import encode, read_plan
from liecbench.launch.messages import DiskError, Lost, RankSettings
from liecbench.launch.supervisor import EVENTS_VARIABLE, MASTER_VARIABLE, NAMESPACES_VARIABLE
from liecbench.worker.backend_variables import Backend
from liecbench.worker.network_interface import interface_towards

if TYPE_CHECKING:
    from liecbench.network.emulation import WorkerLink

# A rank that fails waits this long before it exits. torchrun's agent polls its ranks ten times per second and reports
# one failure: it must see a rank that was killed before it sees the peers that fail because that rank is gone.
_EXIT_SECONDS = 1.0

P = TypeVar("P", bound=RankSettings)
# Carries out a plan; takes the plan, the pipe for events, and the rank's link if that is shaped.
Body = Callable[[P, Path, "WorkerLink | None"], None]


def _disk_error(error: BaseException | None) -> DiskError | None:
    """Return the disk error in an error's chain of causes (full, over quota or read-only); None if there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return DiskError(path=error.filename, reason=error.strerror or str(error))
        error = error.__cause__ or error.__context__
    return None


def run(kind: type[P], import_body: Callable[[], Body[P]]) -> None:
    """Carry out the plan in the file ``sys.argv[1]``, and then end the process.

    In a process that torchrun's agent forked, return instead, so that the agent's code ends the process.

    Args:
        kind: Class of the plan.
        import_body: Returns the function that carries out the plan; called after the environment variables of Gloo and
            NCCL are set.
    """
    die_with_parent()
    rank, namespaces = int(os.environ["LOCAL_RANK"]), os.environ.get(NAMESPACES_VARIABLE, "")
    events = Path(os.environ.get(EVENTS_VARIABLE, "/dev/stdout"))  # a rank that was started by hand prints its events
    link = None
    master = os.environ.get(MASTER_VARIABLE)
    interface = interface_towards(master) if master else "lo"
    if namespaces:
        from liecbench.network.emulation import INTERFACE, WorkerLink

        link = WorkerLink(rank, namespaces.split(",")[rank])
        interface = INTERFACE
    try:
        plan = read_plan(Path(sys.argv[1]), kind)
        backend = Backend.of(plan, shaped=link is not None)
        os.environ.update(backend.variables(interface, int(os.environ["RANK"])))
        import_body()(plan, events, link)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
            sys.stderr.flush()
        lost = Lost(reason=f"rank {rank}: {type(error).__name__}: {error}", disk=_disk_error(error))
        with contextlib.suppress(OSError), events.open("a") as pipe:
            pipe.write(encode(lost) + "\n")
        time.sleep(_EXIT_SECONDS)
        os._exit(1)  # whatever the error was, peers must not wait for this rank
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if multiprocessing.parent_process() is None:
        # torch's threads outlive their process group: one that runs Python code while Python ends aborts the process.
        os._exit(0)
    # A process that torchrun's agent forked must return: the agent's code waits for that, and then ends the process.
