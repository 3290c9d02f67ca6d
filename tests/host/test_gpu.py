import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from liecbench.host import gpu
from liecbench.host.gpu import Gpu, Gpus, Used
from tests import fake_nvml
from tests.fake_nvml import FIRST, GIB, SECOND, FakeGpu, FakeNvml

HERE, THERE, FAR = (f"00000000:{bus}:00.0" for bus in ("07", "0B", "48"))


def with_library() -> bool:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


@contextmanager
def pair(first: tuple[str, ...] = (), second: tuple[str, ...] = (), level: int = 50) -> Iterator[None]:
    """Two GPUs with links that lead to these addresses."""
    both = [FakeGpu(address=HERE, links=first), FakeGpu(uuid=SECOND, address=THERE, links=second)]
    with fake_nvml.installed(FakeNvml(both, level=level)):
        yield


def test_two_gpus_are_described_as_the_library_does() -> None:
    described = {
        "name": "NVIDIA Fake 80GB",
        "memory_bytes": 80 * GIB,
        "pcie_generation": 5,
        "pcie_width": 16,
        "compute_capability": (9, 0),
    }
    with pair((THERE, THERE, FAR), (HERE, HERE)):
        actual = gpu.installed()

    assert actual == Gpus(
        gpus=(Gpu(uuid=FIRST, num_nvlinks=3, **described), Gpu(uuid=SECOND, num_nvlinks=2, **described)),  # type: ignore[arg-type]
        driver="570.86.15",
        cuda="12.8",
        connections={(0, 1): "NV2"},
    )


def test_gpus_on_a_switch_reach_each_other_over_all_their_links() -> None:
    with pair(18 * ("switch",), 18 * ("switch",)):
        actual = gpu.installed().connections

    assert actual == {(0, 1): "NV18"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [(0, "PIX"), (10, "PIX"), (20, "PXB"), (30, "PHB"), (40, "NODE"), (50, "SYS")],
)
def test_without_links_between_them_the_common_ancestor_counts(level: int, expected: str) -> None:
    with pair((FAR,), level=level):
        actual = gpu.installed().connections

    assert actual == {(0, 1): expected}


def test_values_that_a_gpu_does_not_support_are_none() -> None:
    silent = FakeGpu(without={"nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMaxPcieLinkGeneration"})
    with fake_nvml.installed(FakeNvml([silent])):
        (actual,) = gpu.installed().gpus

    assert (actual.memory_bytes, actual.pcie_generation, actual.pcie_width, actual.num_nvlinks) == (None, None, 16, 0)


def test_a_record_has_the_gpus_that_ranks_use_and_no_serial_number() -> None:
    first, second = FIRST.removeprefix("GPU-"), SECOND.removeprefix("GPU-")  # as torch writes them
    ranks = [(0, second, "Fake B"), (0, second, "Fake B"), (1, first, "Fake A"), (1, second, "Fake B"), (1, first, "")]
    with pair():
        found = gpu.installed()
    without = Gpus(connections={}, problem="Driver Not Loaded")
    used = [Used(machine=machine, uuid=uuid, name=name or "Fake A") for machine, uuid, name in ranks]

    assert gpu.environment(used, [found, without]) == {
        "names": ["Fake B", "Fake A", "Fake B"],
        "num_gpus": 3,
        "memory_bytes": [80 * GIB, None, None],
        "ranks_per_gpu": [[2], [2, 1]],
        "driver": "570.86.15",
        "cuda": "12.8",
    }


@pytest.mark.skipif(with_library(), reason="the library is here")
def test_without_nvml_there_are_no_gpus() -> None:
    expected = Gpus(connections={}, problem="NVML Shared Library Not Found")

    assert expected == gpu.installed()


def test_without_a_driver_there_are_no_gpus() -> None:
    with fake_nvml.installed(FakeNvml([], initial=fake_nvml.DRIVER_NOT_LOADED)):
        actual = gpu.installed()

    assert actual == Gpus(connections={}, problem="Driver Not Loaded")


def test_a_driver_without_a_gpu_has_no_problem() -> None:
    with fake_nvml.installed(FakeNvml([])):
        actual = gpu.installed()

    assert actual == Gpus(driver="570.86.15", cuda="12.8", connections={})


@pytest.mark.gpu
def test_a_real_gpu_is_known_as_torch_knows_it() -> None:
    import torch

    expected = {f"GPU-{torch.cuda.get_device_properties(i).uuid}" for i in range(torch.cuda.device_count())}
    found = gpu.installed()

    assert (expected <= {gpu.uuid for gpu in found.gpus}, found.problem) == (True, None)
