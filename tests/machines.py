"""Two machines for a test: two network namespaces with a wire between them, and a command of liecbench on each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute

from liecbench.host import linux

ADDRESSES: Final = ("10.9.0.1", "10.9.0.2")
ON_TWO_MACHINES: Final = [sys.executable, "-m", "tests.machines"]


def main() -> None:
    """Run the command of the arguments on both, each with its place in the run; exits with the first one's status."""
    _enter_namespace()
    here, there = os.pipe()
    back, again = os.pipe()
    second = os.fork()
    if second == 0:
        linux.die_with_parent()
        linux.unshare(linux.CLONE_NEWNET)
        os.write(there, b".")
        os.read(back, 1)
        _bring_up("wire1", ADDRESSES[1])
        sys.exit(_run(1))
    os.read(here, 1)
    with IPRoute() as network:
        network.link("add", ifname="wire0", kind="veth", peer={"ifname": "wire1", "net_ns_pid": second})
    _bring_up("wire0", ADDRESSES[0])
    os.write(again, b".")
    status = _run(0)
    _, other = os.waitpid(second, 0)
    sys.exit(status or os.waitstatus_to_exitcode(other))


def _enter_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    linux.unshare((linux.CLONE_NEWUSER if user else 0) | linux.CLONE_NEWNET)
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _bring_up(name: str, address: str) -> None:
    with IPRoute() as network:
        network.link("set", index=1, state="up")
        (index,) = network.link_lookup(ifname=name)
        network.addr("add", index=index, address=address, prefixlen=24)
        network.link("set", index=index, state="up")


def _run(machine: int) -> int:
    """Run the command with a results directory per machine, in the directory that the last argument names."""
    *command, out = sys.argv[1:]
    place = ["--nodes", "2", "--node-rank", str(machine), "--master", ADDRESSES[0]]
    arguments = [sys.executable, "-P", "-m", "liecbench", *command, "--out", f"{out}-{machine}", *place]
    return subprocess.run(arguments, check=False, preexec_fn=linux.die_with_parent).returncode


if __name__ == "__main__":
    main()
