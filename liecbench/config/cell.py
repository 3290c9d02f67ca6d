"""The cell: one training run, with one combination of the values in a scenario's matrix, and one seed.

A cell holds every field that decides what is trained, and its id is a hash of these fields.
"""

import functools
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from liecbench.config.block_bytes import BlockBytes
from liecbench.config.cell_fields import LATER_CELL_FIELDS
from liecbench.config.cell_keys import contestant_key, digest, setting_key, trajectory_spec
from liecbench.config.choice import Choice, Model
from liecbench.config.compute_choice import Compute, Dilation
from liecbench.config.method_labels import method_label
from liecbench.config.task import ProfileHash, Task
from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator

Workers = Annotated[int, Ge(1), Le(1000)]  # a Linux bridge cannot join many more links than 1000
Threads = Annotated[int, Ge(1), Le(4096)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
# As in algorithms.comm.partition, which imports torch: a command that only reads scenarios should not wait for it.
Server = Literal["root", "sharded"]
BlockOrder = Literal["backward", "forward"]
Enforcement = Literal["kernel", "process"]
# ``measured`` and ``composed`` occur in results of earlier versions, ``trajectory`` in cells that are only trained.
Timing = Literal["interleaved", "end_to_end", "trajectory", "measured", "composed"]


class Cell(Model):
    """One training run: one combination of a scenario's matrix with one seed."""

    algorithm: Choice
    compressor: Choice | None
    server: Server | None
    block_bytes: BlockBytes | None = Field(description="null: the default buckets of DistributedDataParallel")
    block_order: BlockOrder = Field("backward", description="the order in which tensors fill the blocks")
    workers: Workers
    link: LinkMap
    seed: Seed
    task: Task
    threads: Threads
    backend: Literal["gloo", "nccl"]
    device: Literal["cpu", "cuda"]
    timing: Timing
    enforcement: Enforcement = "kernel"
    emulator: Emulator = "auto"
    compute: Compute = Field("measured", description="whether the ranks compute, or replay a profile")
    profile: ProfileHash | None = Field(
        None, description="SHA-256 of the profile to replay; null: one that is measured when the run begins"
    )
    dilation: Dilation = "auto"
    added_rate: bool = Field(False, description="whether the link's rate was added to narrow a break-even")

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the cell's fields, without each newer field whose value is its default.

        The newer fields are ``added_rate`` and those in ``LATER_CELL_FIELDS``, which early versions of liecbench did
        not have. The cell's id is a hash of the returned fields, so the ids that these versions recorded stay valid.
        """
        fields: dict[str, Any] = serialise(self)
        return {
            name: value
            for name, value in fields.items()
            if (name, value) not in (*LATER_CELL_FIELDS.items(), ("added_rate", False))
        }

    @functools.cached_property
    def id(self) -> str:
        """The first 12 hex digits of the SHA-256 of the cell's fields as canonical JSON."""
        return digest(self.spec())

    @property
    def contestant(self) -> str:
        """A hash of those fields of the cell that affect step times: 12 hex digits.

        Cells that differ only in other fields, such as the seed or the learning rate, have equal hashes.
        """
        return contestant_key(self.spec())

    @property
    def setting(self) -> str:
        """A hash of the cell's setting, such as its link, number of workers, model and batch size: 12 hex digits.

        Cells with equal hashes are timed together and compared with each other.
        """
        return setting_key(self.spec())

    @property
    def trajectory(self) -> "Cell":
        """The cell whose training provides this cell's losses.

        The returned cell has no shaped links, and its ranks compute instead of replaying a profile. All else that
        influences losses is equal. Raises ValueError if this cell trains nothing.
        """
        if not self.is_trained:
            raise ValueError(f"{self.describe()}: nothing is trained")
        return Cell.from_spec(trajectory_spec(self.spec()))

    @property
    def trained_cell(self) -> "Cell":
        """The cell whose training gives this cell's losses: itself unless ``timing`` is ``interleaved``.

        A cell that only times the steps of a profile is returned as it is.
        """
        return self.trajectory if self.timing == "interleaved" and self.is_trained else self

    @property
    def is_trained(self) -> bool:
        """True if the cell trains a model; False if the cell's task is a profile, whose steps are only timed."""
        return self.task.profile is None

    def at_rate(self, bits_per_second: int) -> "Cell":
        """Return a copy of the cell at another link rate, with ``added_rate`` set to True.

        A run adds copies at further rates to find out more exactly where a break-even lies. The cell's links must be
        shaped.

        Args:
            bits_per_second: The up rate of the copy's default link. All other rates change by the same factor.
        """
        return self.model_copy(update={"link": self.link.at_rate(bits_per_second), "added_rate": True})

    def __copy__(self) -> Self:
        """Return a copy without the cached id, because ``model_copy`` may change a field of the copy."""
        copied = super().__copy__()
        copied.__dict__.pop("id", None)
        return copied

    def spec(self) -> dict[str, Any]:
        """Return the cell's fields as plain JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> Self:
        """Return the cell with the fields in ``spec``, a dictionary as ``Cell.spec`` returns it."""
        return cls.model_validate(spec)

    def describe(self) -> str:
        """Return the algorithm, compressor, number of workers, link and seed in one line, for messages."""
        return f"{self.describe_without_seed()} · seed {self.seed}"

    def describe_without_seed(self) -> str:
        """Return the algorithm, compressor, number of workers and link in one line, for messages on several seeds."""
        return f"{method_label(self.algorithm, self.compressor)} · {self.workers} workers · {self.link}"
