"""A rank's first steps: bound to its parent's life and inside its namespace, and only then torch."""

import atexit
import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from liecbench.host.linux import die_with_parent
from liecbench.launch.supervisor import EVENTS_VARIABLE, MASTER_VARIABLE, NAMESPACES_VARIABLE
from liecbench.worker.backend_variables import Backend
from liecbench.worker.network_interface import interface_towards

if TYPE_CHECKING:
    from liecbench.network.emulation import WorkerLink

# What a rank does with its plan, the events that the command hears, and its link if that is shaped.
Body = Callable[[Path, Path, "WorkerLink | None"], None]


def _disk_error(error: BaseException | None) -> tuple[str | None, str] | None:
    """Behind an error the file of a disk that takes no more, where it is known, and what the system said."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return error.filename, error.strerror or str(error)
        error = error.__cause__ or error.__context__
    return None


def run(import_body: Callable[[], Body]) -> None:
    """Carry out the plan named by the first argument; ``import_body`` may import torch, its caller must not."""
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
        backend = Backend.of(json.loads(Path(sys.argv[1]).read_text()), shaped=link is not None)
        os.environ.update(backend.variables(interface, int(os.environ["RANK"])))
        import_body()(Path(sys.argv[1]), Path(os.environ[EVENTS_VARIABLE]), link)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
            sys.stderr.flush()
        event = {"type": "lost", "reason": f"rank {rank}: {type(error).__name__}: {error}", "disk": _disk_error(error)}
        with contextlib.suppress(OSError), Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
            events.write(json.dumps(event) + "\n")
        os._exit(1)  # whatever it was, peers must not wait for this rank
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # torch's threads outlive their group, and one that is in Python while that ends aborts the process
