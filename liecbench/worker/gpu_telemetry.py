"""GPU metrics while ranks train, such as energy and clocks.

One rank per machine starts the process that samples the GPUs, and waits a limited time for the process's answers.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final, Self

_ANSWER_TIMEOUT_SECONDS: Final = 2.0
_START_TIMEOUT_SECONDS: Final = 10.0
# A container without "utility" has CUDA but no NVML.
_CAPABILITIES: Final = "NVIDIA_DRIVER_CAPABILITIES=compute,utility"


class Sampler:
    """A process that samples GPUs while ranks train. A failure of the process never stops training.

    Start the process from a thread that lives as long as training, because the process ends together with that thread.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start ``command``, which must speak the protocol of ``liecbench.host.gpu_sampler``."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._unread = b""
        self._num_pending = 1  # the process first answers that it is ready
        self._ready = self._begun = False
        self._start_timeout, self._problem = _START_TIMEOUT_SECONDS, "its process did not start in 10 s"

    @classmethod
    def of(cls, uuids: Sequence[str]) -> Self:
        """Start a sampler of the GPUs with these UUIDs, in NVML's or torch's notation."""
        return cls([sys.executable, "-P", "-m", "liecbench.host.gpu_sampler", *uuids])

    def begin(self) -> None:
        """Begin a measurement window.

        The first call waits up to 10 s until the sampling process is ready. If the process is not ready, or has not yet
        answered an earlier command, no window begins.
        """
        answer = self._await_answers(time.monotonic() + self._start_timeout)
        self._start_timeout = 0.0
        if answer is not None and not self._ready:
            problem = json.loads(answer)
            self._ready, self._problem = problem is None, problem or "none that every GPU supports, or none in time"
        self._begun = self._ready and not self._num_pending and self._send(b"begin\n")

    def end(self) -> dict[str, float] | None:
        """End the window and return its metrics by name; None if no window began or no answer arrives within 2 s."""
        if not self._begun or not self._send(b"end\n"):
            return None
        self._begun = False
        self._num_pending += 1
        answer = self._await_answers(time.monotonic() + _ANSWER_TIMEOUT_SECONDS)
        metrics: dict[str, float] | None = None if answer is None else json.loads(answer)
        return metrics

    @property
    def missing_metrics_notice(self) -> str:
        """The notice to show after an epoch without GPU metrics, with the reason and the remedy."""
        missing = f"NVML gives no metrics of the GPUs ({self._problem}): records lack their energy, memory and clocks"
        return f"{missing}; `nvidia-smi` must work here, and a container needs {_CAPABILITIES}"

    def close(self) -> None:
        """End the process that samples the GPUs."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def _send(self, command: bytes) -> bool:
        """Send a command to the sampling process; return False if the sampling process has ended."""
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), command)
        except BrokenPipeError:
            return False
        return True

    def _await_answers(self, deadline: float) -> bytes | None:
        """Wait for all pending answers of the sampling process, and return the last one, a JSON text.

        Return None if no answer is pending, if the sampling process ends first, or if an answer is still missing at
        ``deadline``, a time in seconds of ``time.monotonic``.
        """
        assert self._process.stdout is not None
        answer = None
        while self._num_pending:
            if b"\n" in self._unread:
                answer, _, self._unread = self._unread.partition(b"\n")
                self._num_pending -= 1
                continue
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            if not (read := os.read(self._process.stdout.fileno(), 4096)):
                return None
            self._unread += read
        return answer
