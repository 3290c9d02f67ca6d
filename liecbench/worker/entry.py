"""The first steps of a rank: bind it to its parent's life, enter its namespace, and only then import torch."""

import atexit
import contextlib
import errno
import os
import sys
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

P = TypeVar("P", bound=RankSettings)
# Carries out a plan; takes the plan, the pipe for events, and the rank's link if that is shaped.
Body = Callable[[P, Path, "WorkerLink | None"], None]


def _disk_error(error: BaseException | None) -> DiskError | None:
    """Return the disk error behind an error: full, over quota or read-only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return DiskError(path=error.filename, reason=error.strerror or str(error))
        error = error.__cause__ or error.__context__
    return None


def run(kind: type[P], import_body: Callable[[], Body[P]]) -> None:
    """Carry out the plan whose path is the first argument, then end the process.

    Args:
        kind: class of the plan.
        import_body: returns what carries it out; it may import torch, which its caller must not have done.
    """
    die_with_parent()
    rank, namespaces = int(os.environ["LOCAL_RANK"]), os.environ[NAMESPACES_VARIABLE]
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
        import_body()(plan, Path(os.environ[EVENTS_VARIABLE]), link)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
            sys.stderr.flush()
        lost = Lost(reason=f"rank {rank}: {type(error).__name__}: {error}", disk=_disk_error(error))
        with contextlib.suppress(OSError), Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
            events.write(encode(lost) + "\n")
        os._exit(1)  # whatever it was, peers must not wait for this rank
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # torch's threads outlive their group, and one that is in Python while that ends aborts the process
