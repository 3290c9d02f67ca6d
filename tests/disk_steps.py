"""A run on a disk that is full after one checkpoint, then has space, then is read-only.

Started in a mount namespace of its own, with the arguments: mount point, directory for copies, scenario. It writes the
status, the messages and the results after each step to the directory for copies.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.cli.in_process import run_in_process

CANNOT_MOUNT: Final = 99


def main(disk: Path, copies: Path, scenario: Path) -> None:
    results, ballast = disk / "results", disk / "ballast"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=False).returncode:
        sys.exit(CANNOT_MOUNT)

    def run(step: str) -> None:
        done = run_in_process("run", scenario, "--out", results, "--quiet")
        (copies / f"{step}.txt").write_text(done.stderr)
        (copies / f"{step}.status").write_text(str(done.returncode))

    results.mkdir()
    ballast.write_bytes(bytes(2100 * 1024))
    run("full")
    shutil.copytree(results, copies / "full")
    ballast.unlink()
    run("space")
    shutil.copytree(results, copies / "space")
    shutil.rmtree(results)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    run("read-only")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
