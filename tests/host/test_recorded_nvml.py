"""The GPU and its figures as read from answers that were recorded on an H100 with driver 580."""

import pynvml
import pytest

from liecbench.host import gpu
from liecbench.host.gpu import Gpu, Gpus, nvml
from liecbench.host.gpu_window import Window
from tests import fake_nvml
from tests.fake_nvml import FakeGpu, FakeNvml
from tests.recorded_nvml import RecordedNvml

SECONDS = 1.25


def window_figures(library: object) -> dict[str, float]:
    """Return the figures of a window of ``SECONDS`` seconds with five samples, as in the recording."""
    read = iter([10.0])
    with fake_nvml.installed(library), nvml():
        handle = pynvml.nvmlDeviceGetHandleByUUID(fake_nvml.FIRST)
        window = Window(handle, lambda: next(read, 10.0 + SECONDS))
        for _ in range(5):
            window.sample()
        return window.end()


def test_the_gpu_is_described() -> None:
    with fake_nvml.installed(RecordedNvml()):
        actual = gpu.installed()

    h100 = Gpu(
        name="NVIDIA H100 80GB HBM3",
        uuid=fake_nvml.FIRST,
        memory_bytes=85520809984,
        pcie_generation=5,
        pcie_width=16,
        compute_capability=(9, 0),
        num_nvlinks=0,  # the virtual machine shows none
    )
    assert actual == Gpus(gpus=(h100,), driver="580.159.04", cuda="13.0", connections={})


def test_a_window_adds_up_the_counters() -> None:
    library = RecordedNvml()
    millijoules = library.answers("nvmlDeviceGetTotalEnergyConsumption")
    counters = library.answers("nvmlDeviceGetFieldValues")
    sent, received = ([each[field]["value"]["uiVal"] for each in counters] for field in (0, 1))
    used = [memory["used"] for memory in library.answers("nvmlDeviceGetMemoryInfo")]
    busy = [rates["gpu"] for rates in library.answers("nvmlDeviceGetUtilizationRates")]

    actual = window_figures(library)

    assert actual == pytest.approx(
        {
            "energy_joules": (millijoules[-1] - millijoules[0]) / 1e3,
            "power_watts": (millijoules[-1] - millijoules[0]) / 1e3 / SECONDS,
            "pcie_sent_bytes": sent[-1] - sent[0],
            "pcie_received_bytes": received[-1] - received[0],
            "peak_memory_bytes": max(used),
            "utilisation": sum(busy) / len(busy) / 100,
            "sm_clock_hertz": 1.98e9,
            "throttled_share": 0.0,
        }
    )
    # All but the time, which was another one, as the package computed it beside the GPU.
    assert {**actual, "power_watts": 0.0} == pytest.approx({**library.figures, "power_watts": 0.0})


def test_the_fake_offers_what_the_gpu_did() -> None:
    narrow = pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
    fake = FakeNvml([FakeGpu(counts={197: (1, narrow), 198: (1, narrow)})])

    assert window_figures(fake).keys() == RecordedNvml().figures.keys()
