"""The stream on which an algorithm's work on a GPU runs beside the backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Lane:
    """The CPU's: what is called is done when it returns, and nothing waits for anything."""

    @property
    def devices(self) -> list[int | str | torch.device] | None:
        """Those whose work a future of this lane's waits for."""
        return None

    def enter(self) -> None:
        """Make this thread one that works here."""

    def ready(self) -> Any:
        """What the caller has given out up to here."""
        return None

    @contextmanager
    def after(self, ready: Any) -> Iterator[None]:
        """Work that comes after ``ready``."""
        yield

    def behind_default(self) -> None:
        """What this thread gives out from here on comes after the default stream: Gloo's callbacks work there."""

    def join(self) -> None:
        """What the caller gives out from here on comes after this lane's work."""


class GpuLane(Lane):
    """A stream of its own; its kernels go before those of the backward pass, because peers wait for what they make."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device, priority=-1)

    @property
    def devices(self) -> list[int | str | torch.device]:
        """The GPU."""
        return [self._device]

    def enter(self) -> None:
        """What names no GPU would take memory on the first one otherwise."""
        torch.cuda.set_device(self._device)

    def ready(self) -> torch.cuda.Event:
        """An event on the caller's stream."""
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._device))
        return event

    @contextmanager
    def after(self, ready: torch.cuda.Event) -> Iterator[None]:
        """Work on the stream, behind the event."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(ready)
            yield

    def behind_default(self) -> None:
        """The thread's stream waits for that one."""
        torch.cuda.current_stream(self._device).wait_stream(torch.cuda.default_stream(self._device))

    def join(self) -> None:
        """The caller's stream waits for this one."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)


def lane_of(device: torch.device) -> Lane:
    """A lane for work on ``device``."""
    return GpuLane(device) if device.type == "cuda" else Lane()
