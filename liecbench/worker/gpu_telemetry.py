"""The worker's end of GPU telemetry: the process that samples, and how long a rank waits for it."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final, Self

_PATIENCE_SECONDS: Final = 2.0
_STARTING_SECONDS: Final = 10.0
# Without utility a container has CUDA and no NVML.
_CAPABILITIES: Final = "NVIDIA_DRIVER_CAPABILITIES=compute,utility"


class Sampler:
    """A process that watches GPUs while ranks train; whatever becomes of it, training goes on.

    It is to be started on a thread that lives as long as training does: the process ends with it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start what ``command`` names, which speaks as ``liecbench.host.gpu_sampler`` does."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._unread = b""
        self._owed = 1  # whether it is ready
        self._ready = self._begun = False
        self._patience_seconds, self._problem = _STARTING_SECONDS, "its process did not start in 10 s"

    @classmethod
    def of(cls, uuids: Sequence[str]) -> Self:
        """One that watches these GPUs, named as NVML or as torch does."""
        return cls([sys.executable, "-P", "-m", "liecbench.host.gpu_sampler", *uuids])

    def begin(self) -> None:
        """A window starts, the first one once the process is ready; none does while an answer is missing."""
        answer = self._collect(time.monotonic() + self._patience_seconds)
        self._patience_seconds = 0.0
        if answer is not None and not self._ready:
            problem = json.loads(answer)
            self._ready, self._problem = problem is None, problem or "none that every GPU supports, or none in time"
        self._begun = self._ready and not self._owed and self._order(b"begin\n")

    def end(self) -> dict[str, float] | None:
        """The figures since ``begin``, by metric name; None if none arrived within 2 s."""
        if not self._begun or not self._order(b"end\n"):
            return None
        self._begun = False
        self._owed += 1
        answer = self._collect(time.monotonic() + _PATIENCE_SECONDS)
        figures: dict[str, float] | None = None if answer is None else json.loads(answer)
        return figures

    @property
    def silence(self) -> str:
        """What to tell of an epoch without figures: why, and what to do."""
        lacking = f"NVML gives no figures of the GPUs ({self._problem}): records lack their energy, memory and clocks"
        return f"{lacking}; `nvidia-smi` must work here, and a container needs {_CAPABILITIES}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def _order(self, order: bytes) -> bool:
        """Whether there is still somebody to tell."""
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), order)
        except BrokenPipeError:
            return False
        return True

    def _collect(self, deadline: float) -> bytes | None:
        """The answer to the last question, once every question has one; None if that is not before ``deadline``."""
        assert self._process.stdout is not None
        answer = None
        while self._owed:
            if b"\n" in self._unread:
                answer, _, self._unread = self._unread.partition(b"\n")
                self._owed -= 1
                continue
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            if not (read := os.read(self._process.stdout.fileno(), 4096)):
                return None
            self._unread += read
        return answer
