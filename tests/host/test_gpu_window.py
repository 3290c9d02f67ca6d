from collections.abc import Iterator
from contextlib import contextmanager

import pynvml

from liecbench.host.gpu import nvml
from liecbench.host.gpu_window import Window
from tests import fake_nvml
from tests.fake_nvml import GIB, FakeGpu, FakeNvml

PCIE_SENT, PCIE_RECEIVED, NVLINK_SENT, NVLINK_RECEIVED = 197, 198, 138, 139
WIDE, NARROW = pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, pynvml.NVML_VALUE_TYPE_UNSIGNED_INT


@contextmanager
def watched(gpu: FakeGpu, seconds: float = 1.0) -> Iterator[Window]:
    """A window that says that it took so long, whatever it took."""
    read = iter([10.0])
    with fake_nvml.installed(FakeNvml([gpu])), nvml():
        yield Window(pynvml.nvmlDeviceGetHandleByIndex(0), lambda: next(read, 10.0 + seconds))


def counting(*values: int, kind: int = WIDE) -> dict[int, tuple[int, int]]:
    fields = (PCIE_SENT, PCIE_RECEIVED, NVLINK_SENT, NVLINK_RECEIVED)
    return {name: (value, kind) for name, value in zip(fields, values, strict=False)}


def test_a_window_reads_as_by_hand() -> None:
    gpu = FakeGpu(millijoules=1_000_000, counts=counting(500, 700, 10, 20))
    with watched(gpu, seconds=3.0) as window:
        window.sample()
        gpu.used_bytes, gpu.percent, gpu.megahertz, gpu.reasons = 3 * GIB, 25, 1210, 0x04 | 0x40
        window.sample()
        gpu.used_bytes, gpu.reasons = 2 * GIB, 0x01 | 0x02  # idle, as applications asked
        window.sample()
        gpu.reasons = 0x04
        window.sample()
        gpu.millijoules, gpu.counts = 1_600_000, counting(4500, 2700, 11, 24)
        actual = window.end()

    assert actual == {
        "energy_joules": 600.0,
        "power_watts": 200.0,  # 600 J in 3 s, whatever the samples say
        "pcie_sent_bytes": 4000.0,
        "pcie_received_bytes": 2000.0,
        "nvlink_sent_bytes": 1024.0,
        "nvlink_received_bytes": 4096.0,
        "utilisation": 0.375,  # 75 %, and 25 % three times
        "peak_memory_bytes": 3 * GIB,
        "sm_clock_hertz": 1.26e9,
        "throttled_share": 0.5,
        "throttled_power_cap_share": 0.5,
        "throttled_hw_thermal_share": 0.25,
    }


def test_the_time_of_a_count_is_that_after_it() -> None:
    gpu = FakeGpu()
    readings: list[int] = []

    def clock() -> float:
        readings.append(gpu.millijoules)
        return float(len(readings))

    with fake_nvml.installed(FakeNvml([gpu])), nvml():
        window = Window(pynvml.nvmlDeviceGetHandleByIndex(0), clock)
        gpu.millijoules = 5000
        window.sample()
        gpu.millijoules = 9000
        actual = window.end()

    # Read at the start, at the sample and at the end: two seconds.
    assert (readings, actual["energy_joules"], actual["power_watts"]) == ([0, 5000, 9000], 9.0, 4.5)


def test_without_counters_power_and_rates_are_sampled() -> None:
    gpu = FakeGpu(milliwatts=100_000, rates=(2000, 500), without={"nvmlDeviceGetTotalEnergyConsumption"})
    with watched(gpu, seconds=2.0) as window:
        window.sample()
        gpu.milliwatts, gpu.rates = 300_000, (4000, 500)
        window.sample()
        actual = window.end()
    names = ("power_watts", "energy_joules", "pcie_sent_bytes", "pcie_received_bytes", "nvlink_sent_bytes")

    # 200 W and 3 MB/s on average, for 2 s.
    assert tuple(actual.get(name) for name in names) == (200.0, 400.0, 6e6, 1e6, None)


def test_unsupported_figures_are_missing() -> None:
    gpu = FakeGpu(
        without={
            "nvmlDeviceGetTotalEnergyConsumption",
            "nvmlDeviceGetPowerUsage",
            "nvmlDeviceGetPcieThroughput",
            "nvmlDeviceGetFieldValues",
            "nvmlDeviceGetUtilizationRates",
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
        }
    )
    with watched(gpu) as window:
        actual = window.end()

    assert actual == {"peak_memory_bytes": 1 * GIB, "sm_clock_hertz": 1.41e9}


def test_an_older_driver_names_reasons_otherwise() -> None:
    with watched(FakeGpu(reasons=0x20, without={"nvmlDeviceGetCurrentClocksEventReasons"})) as window:
        actual = window.end()

    assert (actual["throttled_share"], actual["throttled_sw_thermal_share"]) == (1.0, 1.0)


def test_narrow_counters_wrap_around() -> None:
    gpu = FakeGpu(counts=counting(2**32 - 100, 0, kind=NARROW))
    with watched(gpu) as window:
        gpu.counts = counting(50, 2**31, kind=NARROW)
        window.sample()
        gpu.counts = counting(80, 100, kind=NARROW)
        actual = window.end()

    assert (actual["pcie_sent_bytes"], actual["pcie_received_bytes"]) == (180.0, 2.0**32 + 100)


def test_a_counter_that_was_reset_is_left_out() -> None:
    gpu = FakeGpu(millijoules=1000, counts=counting(500, 700))
    with watched(gpu) as window:
        gpu.millijoules, gpu.counts = 10, counting(400, 800)
        actual = window.end()

    assert (actual.get("pcie_sent_bytes"), actual.get("pcie_received_bytes")) == (None, 100.0)
    assert (actual["power_watts"], actual["energy_joules"]) == (200.0, 200.0)  # as sampled
