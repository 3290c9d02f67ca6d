"""A rank's first steps: bound to its parent's life and inside its namespace, and only then torch."""

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path

from liecbench.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.syscalls import die_with_parent


def main() -> None:
    """Run the plan named by the first argument."""
    die_with_parent()
    rank, namespaces = int(os.environ["LOCAL_RANK"]), os.environ[NAMESPACES_VARIABLE]
    link = None
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if namespaces:
        from liecbench.network import INTERFACE, WorkerLink

        link = WorkerLink(rank, namespaces.split(",")[rank])
        os.environ["GLOO_SOCKET_IFNAME"] = INTERFACE
    from liecbench.worker.session import run_plan

    try:
        run_plan(Path(sys.argv[1]), Path(os.environ[EVENTS_VARIABLE]), link)
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.flush()
        reason = f"rank {rank}: {type(error).__name__}: {error}"
        with contextlib.suppress(OSError), Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
            events.write(json.dumps({"type": "lost", "reason": reason}) + "\n")
        os._exit(1)  # whatever it was, peers must not wait for this rank


if __name__ == "__main__":
    main()
