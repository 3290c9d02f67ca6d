"""This machine's GPUs, as NVIDIA's management library (NVML) describes them."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

# NVML returns a level for the common PCIe ancestor of two GPUs. This maps the level to the abbreviation that
# `nvidia-smi topo` prints.
_ANCESTORS: Final = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
_SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU. A value that NVML does not report is None.

    ``pcie_generation`` and ``pcie_width`` (in lanes) are the highest that both the GPU and its slot support.
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
        gpus: The GPUs. Empty if there are none or NVML does not answer.
        driver: Version of the driver. None if unknown.
        cuda: Newest CUDA version that the driver supports. None if unknown.
        connections: Maps each pair of GPU numbers, the lower one first, to the path between the two GPUs: NVn for n
            active NVLinks, else PIX, PXB, PHB, NODE or SYS as in `nvidia-smi topo`.
        problem: NVML's error message. None if NVML answers.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    connections: dict[tuple[int, int], str]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The GPU that one rank uses.

    Attributes:
        machine: Number of the rank's machine, from 0.
        uuid: UUID of the GPU, with NVML's prefix ``GPU-`` or, as in torch, without.
        name: Name of the GPU.
    """

    machine: int
    uuid: str
    name: str


@contextlib.contextmanager
def nvml() -> Iterator[None]:
    """Keep NVML initialised in the ``with`` block. Raises pynvml.NVMLError if the library or the driver is missing."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def answer(question: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``question``, a function of NVML, and return its result, or None if it raises NVMLError.

    NVML raises this error for example if a GPU does not support the query.
    """
    import pynvml

    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None


def installed() -> Gpus:
    """Return this machine's GPUs. If NVML or the driver is missing, there are none and ``problem`` is set."""
    import pynvml

    try:
        with nvml():
            return _installed()
    except pynvml.NVMLError as error:
        return Gpus(connections={}, problem=str(error))


def environment(ranks: Sequence[Used], machines: Sequence[Gpus]) -> dict[str, Any]:
    """Return a description of the GPUs that a run's ranks use, to store in the run's records.

    Args:
        ranks: The GPU of each rank.
        machines: All GPUs of each machine, in the order of machine numbers.

    Returns:
        A mapping with these keys:

        - ``num_gpus``: The number of GPUs that ranks use.
        - ``names``, ``memory_bytes``: Two lists with one value per used GPU. An unknown memory size is None.
        - ``ranks_per_gpu``: For each machine, a list with the number of ranks on each used GPU.
        - ``driver``, ``cuda``: The versions on the machines. Different versions are joined by commas. None if no
          version is known.
    """
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
    """Return a GPU's UUID with NVML's prefix ``GPU-``, which torch leaves out."""
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def _of_all(versions: Iterable[str | None]) -> str | None:
    """Return the distinct versions, joined by commas, or None if no version is known."""
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
        # The highest, because an idle PCIe link runs at a lower generation than a busy one.
        pcie_generation=answer(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        pcie_width=answer(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
        compute_capability=answer(pynvml.nvmlDeviceGetCudaComputeCapability, handle),
        num_nvlinks=num_nvlinks,
    )


def _nvlinks(handle: Any) -> Counter[str]:
    """Count a GPU's active NVLinks by the device at the other end.

    The keys of the result are PCI addresses of devices, ``_SWITCH`` for any NVSwitch, and an empty text for unknown
    devices.
    """
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
        # Two GPUs on an NVSwitch reach each other over all their NVLinks to the switch.
        direct = links[one][addresses[other]] + min(links[one][_SWITCH], links[other][_SWITCH])
        ancestor = answer(pynvml.nvmlDeviceGetTopologyCommonAncestor, handles[one], handles[other])
        if direct:
            yield (one, other), f"NV{direct}"
        elif ancestor in _ANCESTORS:
            yield (one, other), _ANCESTORS[ancestor]
