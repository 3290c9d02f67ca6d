"""A fake of NVIDIA's management library at the C boundary, with values as its documentation describes them.

It is no recording of a machine. ``python -m tests.fake_nvml UUID…`` runs the sampling process on it, with GPUs that
draw 200 W.
"""

import contextlib
import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pynvml

from liecbench.host import gpu_sampler

SUCCESS: Final = 0
INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NOT_FOUND: Final = 6
DRIVER_NOT_LOADED: Final = 9
GIB: Final = 2**30
FIRST: Final = "GPU-00000000-0000-0000-0000-000000000001"
SECOND: Final = "GPU-00000000-0000-0000-0000-000000000002"


@dataclass(slots=True, kw_only=True)
class FakeGpu:
    """The values that NVML returns for one GPU; functions and fields in ``without`` are not supported."""

    uuid: str = FIRST
    name: str = "NVIDIA Fake 80GB"
    address: str = "00000000:07:00.0"
    links: tuple[str, ...] = ()  # the other end of each: a PCI address, or "switch"
    total_bytes: int = 80 * GIB
    used_bytes: int = 1 * GIB
    milliwatts: int = 200_000
    percent: int = 75
    megahertz: int = 1410
    reasons: int = 0
    rates: tuple[int, int] = (0, 0)  # PCIe, kB/s
    millijoules: int = 0
    counts: dict[int, tuple[int, int]] = field(default_factory=dict)  # fields: value, type
    without: set[str] = field(default_factory=set)
    ticking: bool = False

    def energy(self) -> int:
        """Return the fixed counter, or power × elapsed time if the counter runs."""
        return int(time.monotonic() * self.milliwatts) if self.ticking else self.millijoules


class FakeNvml:
    """A library that takes arguments as the binding passes them to C and returns NVML's codes."""

    def __init__(self, gpus: Sequence[FakeGpu], *, level: int = 50, initial: int = SUCCESS) -> None:
        self.gpus, self._level, self._initial = gpus, level, initial

    def nvmlInitWithFlags(self, _flags: int) -> int:  # noqa: N802
        return self._initial

    def nvmlShutdown(self) -> int:  # noqa: N802
        return SUCCESS

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Return a function by its name in C; raise AttributeError, like an old library, if the fake has none."""
        answers: dict[str, Callable[..., int]] = {
            "nvmlSystemGetDriverVersion": lambda buffer, _: _text(buffer, "570.86.15"),
            "nvmlSystemGetCudaDriverVersion_v2": lambda out: _number(out, 12080),
            "nvmlDeviceGetCount_v2": lambda out: _number(out, len(self.gpus)),
            "nvmlDeviceGetHandleByIndex_v2": lambda index, out: _point(out, index.value + 1),
            "nvmlDeviceGetHandleByUUID": self._by_uuid,
            "nvmlDeviceGetTopologyCommonAncestor": lambda _one, _other, out: _number(out, self._level),
        }
        if name in answers:
            return answers[name]
        of_gpu = getattr(sys.modules[__name__], f"_{name}", None)
        if of_gpu is None:
            raise AttributeError(name)

        def answer(handle: Any, *arguments: Any) -> int:
            gpu = self.gpus[(ctypes.cast(handle, ctypes.c_void_p).value or 0) - 1]
            return NOT_SUPPORTED if name in gpu.without else of_gpu(gpu, *arguments)

        return answer

    def _by_uuid(self, uuid: ctypes.c_char_p, out: Any) -> int:
        wanted = (uuid.value or b"").decode()
        found = [number for number, gpu in enumerate(self.gpus, start=1) if gpu.uuid == wanted]
        return _point(out, found[0]) if found else NOT_FOUND


@contextlib.contextmanager
def installed(library: object) -> Iterator[None]:
    """Make the binding use this library, and restore it afterwards."""
    before = pynvml.nvmlLib
    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()
    try:
        yield
    finally:
        pynvml.nvmlLib = before
        pynvml._nvmlGetFunctionPointer_cache.clear()


def _number(out: Any, value: int) -> int:
    out._obj.value = value
    return SUCCESS


def _text(buffer: Any, value: str) -> int:
    buffer.value = value.encode()
    return SUCCESS


def _point(out: Any, value: int) -> int:
    ctypes.cast(out, ctypes.POINTER(ctypes.c_void_p))[0] = value
    return SUCCESS


def _address(out: Any, value: str) -> int:
    out._obj.busId = value.encode()
    return SUCCESS


def _link(gpu: FakeGpu, link: int) -> str | None:
    return gpu.links[link] if link < len(gpu.links) else None


def _nvmlDeviceGetName(gpu: FakeGpu, buffer: Any, _: Any) -> int:  # noqa: N802
    return _text(buffer, gpu.name)


def _nvmlDeviceGetUUID(gpu: FakeGpu, buffer: Any, _: Any) -> int:  # noqa: N802
    return _text(buffer, gpu.uuid)


def _nvmlDeviceGetMemoryInfo(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    out._obj.total, out._obj.used = gpu.total_bytes, gpu.used_bytes
    return SUCCESS


def _nvmlDeviceGetMaxPcieLinkGeneration(_: FakeGpu, out: Any) -> int:  # noqa: N802
    return _number(out, 5)


def _nvmlDeviceGetMaxPcieLinkWidth(_: FakeGpu, out: Any) -> int:  # noqa: N802
    return _number(out, 16)


def _nvmlDeviceGetCudaComputeCapability(_: FakeGpu, major: Any, minor: Any) -> int:  # noqa: N802
    return _number(major, 9) or _number(minor, 0)


def _nvmlDeviceGetPciInfo_v3(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    return _address(out, gpu.address)


def _nvmlDeviceGetNvLinkState(gpu: FakeGpu, link: int, out: Any) -> int:  # noqa: N802
    if not gpu.links:
        return NOT_SUPPORTED
    return INVALID_ARGUMENT if _link(gpu, link) is None else _number(out, 1)


def _nvmlDeviceGetNvLinkRemotePciInfo_v2(gpu: FakeGpu, link: int, out: Any) -> int:  # noqa: N802
    end = _link(gpu, link)
    return _address(out, "00000000:C0:00.0" if end in (None, "switch") else str(end))


def _nvmlDeviceGetNvLinkRemoteDeviceType(gpu: FakeGpu, link: int, out: Any) -> int:  # noqa: N802
    return _number(out, pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH if _link(gpu, link) == "switch" else 0)


def _nvmlDeviceGetUtilizationRates(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    out._obj.gpu = gpu.percent
    return SUCCESS


def _nvmlDeviceGetPowerUsage(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    return _number(out, gpu.milliwatts)


def _nvmlDeviceGetClockInfo(gpu: FakeGpu, clock: Any, out: Any) -> int:  # noqa: N802
    return _number(out, gpu.megahertz) if clock.value == pynvml.NVML_CLOCK_SM else INVALID_ARGUMENT


def _nvmlDeviceGetCurrentClocksThrottleReasons(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    return _number(out, gpu.reasons)


_nvmlDeviceGetCurrentClocksEventReasons = _nvmlDeviceGetCurrentClocksThrottleReasons  # noqa: N816


def _nvmlDeviceGetTotalEnergyConsumption(gpu: FakeGpu, out: Any) -> int:  # noqa: N802
    return _number(out, gpu.energy())


def _nvmlDeviceGetPcieThroughput(gpu: FakeGpu, direction: Any, out: Any) -> int:  # noqa: N802
    return _number(out, gpu.rates[direction.value])


def _nvmlDeviceGetFieldValues(gpu: FakeGpu, num_fields: Any, out: Any) -> int:  # noqa: N802
    for number in range(num_fields.value):
        value = out._obj[number]
        scope = 0xFFFFFFFF if value.fieldId in (138, 139) else 0  # the sum over all NVLinks
        if value.fieldId not in gpu.counts or value.scopeId != scope:
            value.nvmlReturn = NOT_SUPPORTED
            continue
        count, value.valueType = gpu.counts[value.fieldId]
        value.nvmlReturn = SUCCESS
        member = {pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal", pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal"}
        setattr(value.value, member[value.valueType], count)
    return SUCCESS


if __name__ == "__main__":
    pynvml.nvmlLib = FakeNvml([FakeGpu(uuid=uuid, ticking=True, reasons=0x04) for uuid in (FIRST, SECOND)])
    gpu_sampler.main(sys.argv[1:])
