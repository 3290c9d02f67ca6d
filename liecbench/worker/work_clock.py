"""Clocks that measure computing: in CPU time if one thread computes on the CPU, and otherwise in elapsed time."""

import time
from typing import Final

import torch

from liecbench.algorithms.comm.timing import Clock, HostClock, clock_for

# In distributed training a rank waits for the network between its steps, and its caches are cold afterwards. After any
# pause of 3 to 50 ms a step of a small model took 1.5 to 2 times as long as back to back.
PAUSE_SECONDS: Final = 0.005


class ThreadClock(HostClock):
    """The CPU time of the calling thread."""

    def timestamp(self) -> float:
        """Return the CPU seconds that the calling thread has used."""
        return time.thread_time()


class ProcessClock(HostClock):
    """The CPU time of all threads of this process together."""

    def timestamp(self) -> float:
        """Return the CPU seconds that the process has used."""
        return time.process_time()


def uses_cpu_time(device: torch.device) -> bool:
    """Return True if ``device`` is the CPU and torch has one thread. Work is then measured in CPU time."""
    return device.type == "cpu" and torch.get_num_threads() == 1


def thread_clock(device: torch.device) -> Clock:
    """Return the clock for work that the calling thread does or, on a GPU, launches.

    On a GPU, the clock is the GPU's time. On the CPU, the clock is the CPU time of the calling thread if
    ``torch.get_num_threads()`` is 1, else wall time.
    """
    # If torch has several threads, the calling thread does not do all the work.
    return ThreadClock() if uses_cpu_time(device) else clock_for(device)


def process_clock(device: torch.device) -> Clock:
    """Return the clock for work that several threads of this process do, such as training and communication.

    On a GPU, the clock is the GPU's time. On the CPU, the clock is the CPU time of the whole process if torch
    computes with one thread (``torch.get_num_threads()`` is 1), else wall time.
    """
    return ProcessClock() if uses_cpu_time(device) else clock_for(device)
