import pytest

from liecbench.diagnostics.diagnostic import Diagnostic
from liecbench.diagnostics.gpu_diagnostics import Build, on_gpus
from liecbench.host.gpu import Gpus, installed
from tests import fake_nvml
from tests.fake_nvml import SECOND, FakeGpu, FakeNvml

CUDA = Build(cuda="12.8", num_gpus=2, nccl="2.27.3", triton="3.6.0", lacking=())
NO_NCCL = ("no", "nccl", "not in this build of torch", "needed for GPUs only: install a CUDA build of torch")


def diagnostics_of(found: Gpus, build: Build) -> list[tuple[str, ...]]:
    return [
        (
            "yes" if diagnostic.works else "no",
            diagnostic.name,
            diagnostic.seen,
            *([] if diagnostic.works else [diagnostic.remedy]),
        )
        for diagnostic in on_gpus(found, build)
    ]


def two_gpus() -> Gpus:
    here, there = "00000000:07:00.0", "00000000:0B:00.0"
    gpus = [FakeGpu(address=here, links=4 * (there,)), FakeGpu(uuid=SECOND, address=there, links=4 * (here,))]
    with fake_nvml.installed(FakeNvml(gpus)):
        return installed()


def test_gpus_and_what_they_need_are_named() -> None:
    gpu = "NVIDIA Fake 80GB, 80 GiB, PCIe 5 ×16, compute capability 9.0, 4 NVLinks"

    assert diagnostics_of(two_gpus(), CUDA) == [
        ("yes", "nccl", "2.27.3"),
        ("yes", "nvidia driver", "570.86.15, runs CUDA up to 12.8"),
        ("yes", "gpu 0", gpu),
        ("yes", "gpu 1", gpu),
        ("yes", "gpu 0 to", "gpu 1 NV4"),
        ("yes", "torch on GPUs", "built for CUDA 12.8, sees 2 of 2 GPUs"),
        ("yes", "triton", "3.6.0"),
        ("yes", "triton's launcher", "a C compiler and Python.h to build it"),
    ]


def test_a_gpu_without_software_has_remedies() -> None:
    actual = diagnostics_of(
        two_gpus(), Build(cuda=None, num_gpus=0, nccl=None, triton=None, lacking=("C compiler", "/include/Python.h"))
    )

    assert (NO_NCCL, actual[-3:]) == (
        actual[0],
        [
            ("no", "torch on GPUs", "torch is built without CUDA", "install a CUDA build of torch"),
            (
                "no",
                "triton",
                "not installed",
                "the GPU kernels need it: pip install triton; a CUDA build of torch brings it",
            ),
            (
                "no",
                "triton's launcher",
                "no C compiler and no /include/Python.h",
                "install gcc and python3-dev, or name another C compiler in CC",
            ),
        ],
    )


def test_gpus_that_torch_does_not_see_have_a_remedy() -> None:
    actual = diagnostics_of(two_gpus(), Build(cuda="13.0", num_gpus=0, nccl="2.28.3", triton="3.6.0", lacking=()))

    assert actual[-3] == (
        "no",
        "torch on GPUs",
        "built for CUDA 13.0, sees 0 of 2 GPUs",
        "install a driver for CUDA 13.0, or an older build of torch; look at CUDA_VISIBLE_DEVICES",
    )


@pytest.mark.parametrize(
    ("library", "seen", "remedy"),
    [
        (
            FakeNvml([], initial=fake_nvml.DRIVER_NOT_LOADED),
            "none: Driver Not Loaded",
            "needed for device: cuda only: install and load NVIDIA's driver; in a container: --gpus all",
        ),
        (FakeNvml([]), "none: the driver finds no GPU", "needed for device: cuda only"),
    ],
    ids=["no driver", "no GPU"],
)
def test_without_a_gpu_it_is_short(library: FakeNvml, seen: str, remedy: str) -> None:
    with fake_nvml.installed(library):
        found = installed()

    assert [NO_NCCL, ("no", "gpus", seen, remedy)] == diagnostics_of(
        found, Build(cuda=None, num_gpus=0, nccl=None, triton="3.6.0", lacking=())
    )


def test_this_installation_can_be_asked() -> None:
    diagnostics = list(on_gpus(installed(), Build.here()))

    assert [Diagnostic] * len(diagnostics) == [type(diagnostic) for diagnostic in diagnostics]
    assert diagnostics[0].name == "nccl"
