"""This machine's GPUs, as NVIDIA's management library (NVML) describes them; none without NVML or a driver."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

# By NVML's levels of a common ancestor, as `nvidia-smi topo` abbreviates them.
_ANCESTORS: Final = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
_SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU; values that NVML does not know are None.

    ``pcie_generation`` and ``pcie_width`` (lanes) are the highest that GPU and slot can do.
    """

    name: str
    uuid: str
    memory_bytes: int | None
    pcie_generation: int | None
    pcie_width: int | None
    compute_capability: tuple[int, int] | None
    num_nvlinks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """All GPUs of one machine, in NVML's order.

    Attributes:
        gpus: The GPUs.
        driver: The driver's version.
        cuda: The newest CUDA that the driver runs.
        connections: For pairs of GPUs, the lower number first, the path between them: PIX, PXB, PHB, NODE or SYS, or
            NVn for n active NVLinks.
        problem: What keeps NVML from answering.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    connections: dict[tuple[int, int], str]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A rank's GPU: the number of its machine, its UUID as NVML or torch writes it, and its name."""

    machine: int
    uuid: str
    name: str


@contextlib.contextmanager
def nvml() -> Iterator[None]:
    """Initialise NVML for the block. Raises pynvml.NVMLError if there is no library or no driver."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def answer(question: Callable[..., Any], *arguments: Any) -> Any:
    """Call one function of NVML; return None if the GPU, its driver or the user's rights do not allow it."""
    import pynvml

    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None


def installed() -> Gpus:
    """Return the machine's GPUs; none, and the problem, if NVML is missing or finds no driver."""
    import pynvml

    try:
        with nvml():
            return _installed()
    except pynvml.NVMLError as error:
        return Gpus(connections={}, problem=str(error))


def environment(ranks: Sequence[Used], machines: Sequence[Gpus]) -> dict[str, Any]:
    """Return what a record says of the GPUs that ``ranks`` use; ``machines`` are in the order of their numbers."""
    names = {(rank.machine, full_uuid(rank.uuid)): rank.name for rank in ranks}
    num_ranks = Counter((rank.machine, full_uuid(rank.uuid)) for rank in ranks)
    memory = {(number, gpu.uuid): gpu.memory_bytes for number, found in enumerate(machines) for gpu in found.gpus}
    return {
        "names": list(names.values()),
        "num_gpus": len(names),
        "memory_bytes": [memory.get(place) for place in names],
        "ranks_per_gpu": [
            [num_ranks[machine, uuid] for machine, uuid in names if machine == number]
            for number in range(len(machines))
        ],
        "driver": _of_all(found.driver for found in machines),
        "cuda": _of_all(found.cuda for found in machines),
    }


def full_uuid(uuid: str) -> str:
    """Return a GPU's UUID as NVML writes it; torch leaves ``GPU-`` out."""
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def _of_all(versions: Iterable[str | None]) -> str | None:
    """Return the machines' version, or versions if they differ; None if none is known."""
    return ", ".join(dict.fromkeys(version for version in versions if version)) or None


def _installed() -> Gpus:
    import pynvml

    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    cuda = answer(pynvml.nvmlSystemGetCudaDriverVersion_v2)
    links = [_nvlinks(handle) for handle in handles]
    return Gpus(
        gpus=tuple(_gpu(handle, links[index].total()) for index, handle in enumerate(handles)),
        driver=answer(pynvml.nvmlSystemGetDriverVersion),
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        connections=dict(_connections(handles, links)),
    )


def _gpu(handle: Any, num_nvlinks: int) -> Gpu:
    import pynvml

    memory = answer(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return Gpu(
        name=pynvml.nvmlDeviceGetName(handle),
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        memory_bytes=None if memory is None else memory.total,
        # The greatest: at rest a link runs at a lower generation than it does under load.
        pcie_generation=answer(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        pcie_width=answer(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
        compute_capability=answer(pynvml.nvmlDeviceGetCudaComputeCapability, handle),
        num_nvlinks=num_nvlinks,
    )


def _nvlinks(handle: Any) -> Counter[str]:
    """Count active NVLinks by their other end: a PCI address, or a switch."""
    import pynvml

    ends: Counter[str] = Counter()
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        if answer(pynvml.nvmlDeviceGetNvLinkState, handle, link):
            remote = answer(pynvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, link)
            switched = answer(pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, link) == 2
            ends[_SWITCH if switched else "" if remote is None else remote.busId] += 1
    return ends


def _connections(handles: list[Any], links: list[Counter[str]]) -> Iterator[tuple[tuple[int, int], str]]:
    import pynvml

    addresses = [info and info.busId for info in (answer(pynvml.nvmlDeviceGetPciInfo, handle) for handle in handles)]
    for one, other in itertools.combinations(range(len(handles)), 2):
        # All GPUs on a switch reach each other over all their links.
        direct = links[one][addresses[other]] + min(links[one][_SWITCH], links[other][_SWITCH])
        ancestor = answer(pynvml.nvmlDeviceGetTopologyCommonAncestor, handles[one], handles[other])
        if direct:
            yield (one, other), f"NV{direct}"
        elif ancestor in _ANCESTORS:
            yield (one, other), _ANCESTORS[ancestor]
