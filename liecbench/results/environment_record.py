"""The environment of a recorded cell: the machine, its GPUs, the software and the links."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

from annotated_types import Ge, Le
from pydantic import ConfigDict, Field, TypeAdapter

from liecbench.config.own_code import CodeFile, Part
from liecbench.network.link_record import LinkRecord
from liecbench.profiles.profile_store import SHA256_PATTERN
from liecbench.results.ranges import STRICT, Count, Fraction, Natural, NonNegative, Positive


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRecord:
    """The GPUs of all ranks.

    Attributes:
        names: The model of each GPU in use.
        num_gpus: The number of GPUs in use.
        memory_bytes: Bytes of memory of each GPU, in the order of ``names``. Unknown sizes are None.
        ranks_per_gpu: For each machine, the number of ranks on each of its GPUs in use.
        driver: The driver's version, or the distinct versions of all machines, joined by commas.
        cuda: The newest CUDA version that the driver supports, or the distinct versions of all machines, joined by
            commas.
        tf32: For ``convolutions`` and ``matrix_products``, True if torch may compute them in TF32 on float32 inputs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    names: tuple[str, ...] = ()
    num_gpus: Count | None = None
    memory_bytes: tuple[Count | None, ...] = ()
    ranks_per_gpu: tuple[tuple[Natural, ...], ...] = ()
    driver: str | None = None
    cuda: str | None = None
    tf32: dict[str, bool] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NcclRecord:
    """NCCL's version and settings.

    Attributes:
        version: The version, such as ``2.27.3``; None if it was not recorded.
        shared_gpus: True if ranks were allowed to share a GPU.
        transport: ``socket`` if NCCL had to use sockets, ``any`` if NCCL had the choice; None if it was not recorded.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    version: str | None = None
    shared_gpus: bool = False
    transport: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts:
    """Facts about the labels of the test set.

    Attributes:
        labels: The number of labels in the test set: one per example or, for text, one per token.
        commonest_share: The share of the commonest class, from 0 to 1.
        unigram_loss: The cross-entropy, in nats, of a model that knows only how often each class occurs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    labels: Annotated[float, Ge(1), Le(1e15)]
    commonest_share: Fraction
    unigram_loss: NonNegative | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine, software and links that a cell ran on. A field is None if it was not recorded.

    Attributes:
        cpu: The processor's model name.
        num_cpus: The number of processors that the ranks could use.
        cpu_quota: The container's limit of processor time, in processors, such as 1.5; None without a limit.
        memory_bytes: The memory that the ranks could use.
        kernel: The version of Linux.
        python: The version of Python.
        torch: The version of torch.
        numba: The version of numba.
        liecbench: The version of liecbench.
        threads: The number of threads per rank.
        variables: The environment variables that can change numbers or times, by name.
        gpu: The GPUs of all ranks; None on the CPU.
        nccl: NCCL's version and settings; None without NCCL.
        link: The links of all ranks.
        data_sha256: The hash of the data.
        code: The files outside liecbench that define the cell's algorithm, compressor, dataset and model.
        model_sha256: The hash of the file of the user's own model, in records of earlier versions, which lack ``code``.
        test_set: Facts about the labels of the test set, such as the number of labels.
        profile_sha256: The hash of the profile that the ranks replayed; None if they computed.
        timing_precision: The half-width that the timing session tried to reach for the 95 % interval of each speed-up,
            as a fraction of the speed-up.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    cpu: str | None = None
    num_cpus: Natural | None = None
    cpu_quota: Positive | None = None
    memory_bytes: Count | None = None
    kernel: str | None = None
    python: str | None = None
    torch: str | None = None
    numba: str | None = None
    liecbench: str | None = None
    threads: Natural | None = None
    variables: dict[str, str] | None = field(default=None, hash=False)
    gpu: GpuRecord | None = None
    nccl: NcclRecord | None = None
    link: LinkRecord | None = None
    data_sha256: str | None = None
    code: dict[Part, CodeFile] | None = field(default=None, hash=False)
    model_sha256: str | None = None
    test_set: LabelFacts | None = None
    timing_precision: Positive | None = None
    profile_sha256: Annotated[str, Field(pattern=SHA256_PATTERN)] | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """Return the environment with the fields ``described``, which a rank reports or the JSON of a record contains.

        Raises:
            TypeError: If ``described`` has an unknown field.
            ValidationError: If a value has the wrong type, or is out of its range.
        """
        if unknown := described.keys() - {one.name for one in dataclasses.fields(cls)}:
            raise TypeError(f"an environment has no field {', '.join(sorted(unknown))}")
        found: Self = _adapter().validate_python(dict(described), strict=False)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name as plain JSON values, without those that are None."""
        fields: dict[str, Any] = _adapter().dump_python(self, mode="json", exclude_none=True)
        return fields


@functools.cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Environment)
