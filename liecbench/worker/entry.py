"""The main function of every rank's process.

The function makes the process end with its parent, enters the rank's network namespace if there is one, and carries
out the plan: a file in which the ``liecbench`` command tells the ranks what to do.
"""

import atexit
import contextlib
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from liecbench.errors import is_disk_error
from liecbench.host.linux import die_with_parent
from liecbench.launch.channel import encode, read_plan
from liecbench.launch.events import DiskError, Lost
from liecbench.launch.plans import RankSettings
from liecbench.launch.supervisor import EVENTS_VARIABLE, MASTER_VARIABLE, NAMESPACES_VARIABLE
from liecbench.untrusted.plain_text import shortened
from liecbench.worker.backend_variables import Backend
from liecbench.worker.network_interface import interface_towards

if TYPE_CHECKING:
    from liecbench.network.emulation import WorkerLink

# A rank that fails waits this long before it exits. torchrun's agent polls its ranks ten times per second, and reports
# only one failure. If a rank is killed, its peers fail too, and the agent should see the killed rank first.
_EXIT_SECONDS: Final = 1.0
# By its class or its words, an exception of torch.distributed says that another rank is gone, as Gloo's do.
_CONNECTION_ERRORS: Final = ("DistBackendError", "DistNetworkError", "DistStoreError")
_CONNECTION_WORDS: Final = ("gloo/transport/", "Connection closed by peer", "Connection reset by peer")

P = TypeVar("P", bound=RankSettings)
# A function that carries out a plan. Its arguments are the plan, the path of the pipe for events, and the rank's link
# in its network namespace; the link is None if the rank has no namespace.
Body = Callable[[P, Path, "WorkerLink | None"], None]


def _disk_error(error: BaseException | None) -> DiskError | None:
    """Return the first of ``error`` and its causes that comes from a full or read-only disk; None if none does."""
    while error is not None:
        if isinstance(error, OSError) and is_disk_error(error):
            return DiskError(path=error.filename, reason=error.strerror or str(error))
        error = error.__cause__ or error.__context__
    return None


def _is_lost_connection(error: BaseException) -> bool:
    return type(error).__name__ in _CONNECTION_ERRORS or any(words in str(error) for words in _CONNECTION_WORDS)


def run(kind: type[P], import_body: Callable[[], Body[P]]) -> None:
    """Carry out the plan in the file ``sys.argv[1]`` on this rank, and then end the process.

    The exit status is 0 after success, and 1 after an error, which is also reported to the ``liecbench`` command. If
    torchrun's agent has forked this process, return after success: the agent's code then ends the process.

    Args:
        kind: Class of the plan.
        import_body: Imports and returns the function that carries out the plan. It is called only after the environment
            variables of Gloo and NCCL are set.
    """
    die_with_parent()
    rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    namespaces = os.environ.get(NAMESPACES_VARIABLE, "")
    events = Path(os.environ.get(EVENTS_VARIABLE, "/dev/stdout"))  # a rank that was started by hand prints its events
    link = None
    master = os.environ.get(MASTER_VARIABLE)
    interface = interface_towards(master) if master else "lo"
    if namespaces:
        from liecbench.network.emulation import WorkerLink
        from liecbench.network.hub import INTERFACE

        link = WorkerLink(local_rank, namespaces.split(",")[local_rank])
        interface = INTERFACE
    try:
        plan = read_plan(Path(sys.argv[1]), kind)
        backend = Backend.of(plan, shaped=link is not None)
        os.environ.update(backend.variables(interface, rank))
        import_body()(plan, events, link)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
            sys.stderr.flush()
        reason = shortened(f"rank {rank}: {type(error).__name__}: {error}")
        cause: Literal["error", "connection"] = "connection" if _is_lost_connection(error) else "error"
        lost = Lost(reason=reason, disk=_disk_error(error), cause=cause)
        with contextlib.suppress(OSError), events.open("a", encoding="utf-8") as pipe:
            pipe.write(encode(lost) + "\n")
        time.sleep(_EXIT_SECONDS)
        os._exit(1)  # whatever the error was, peers must not wait for this rank
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if multiprocessing.parent_process() is None:
        # torch's threads outlive their process group. A thread that runs Python code while the interpreter shuts down
        # would abort the process, so exit without shutting down.
        os._exit(0)
    # A process that torchrun's agent forked must return, because the agent's code waits for that, and then ends it.
