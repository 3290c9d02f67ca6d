"""The cell: one training run, that is, one combination of a scenario's matrix with one seed.

A cell holds every field that decides what is trained, and its id is a hash of these fields.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from liecbench.config.block_bytes import BlockBytes
from liecbench.config.cell_fields import LATER_CELL_FIELDS, LATER_FIELDS
from liecbench.config.cell_keys import contestant_key, digest, setting_key, trajectory_spec
from liecbench.config.compute_choice import Compute, Dilation
from liecbench.config.installed_choices import Installed
from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator
from liecbench.profiles.profile_store import SHA256_PATTERN


class Model(BaseModel):
    """A frozen pydantic model that refuses unknown keys and wrong types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


def split_options(value: object, reserved: tuple[str, ...]) -> object:
    """Return an algorithm, compressor, dataset or model of a scenario as a mapping for pydantic to validate.

    Args:
        value: What the scenario has: ``name`` or ``{name: …, option: …}``.
        reserved: The keys of ``value`` that are not options, such as ``name``.

    Returns:
        The reserved keys of ``value`` with their values, and under ``"options"`` a mapping of all other keys.

    Raises:
        ValueError: ``value`` has neither of the two forms.
    """
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict) or "name" not in value:
        raise ValueError(f"{value!r} is neither a name nor a mapping with a name; write {{name: …, option: …}}")
    options = {key: item for key, item in value.items() if key not in reserved}
    return {**{key: value[key] for key in reserved if key in value}, "options": options}


class Choice(Model):
    """The name and the options of an algorithm, compressor, dataset or model.

    A scenario has it as ``name`` or as ``{name: …, option: …}``.
    """

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value if isinstance(value, Choice) else split_options(value, ("name",))

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}


class Milestones(Model):
    """A schedule that multiplies the learning rate by ``factor`` at each epoch in ``milestones``, counted from 0."""

    milestones: list[Annotated[int, Ge(1)]]
    factor: Annotated[float, Gt(0)] = 0.1

    @field_validator("milestones")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)):
            raise ValueError(f"{value} does not rise; write the epochs in order, each once")
        return value


class Dirichlet(Model):
    """A partition of the training data that gives each worker a Dirichlet-distributed share of each label's samples.

    ``dirichlet`` is the distribution's concentration: the smaller it is, the more the workers' labels differ.
    """

    dirichlet: Annotated[float, Gt(0), Le(10**6)]


def _parse_schedule(value: object) -> object:
    if value is None or value == "cosine" or isinstance(value, dict | Milestones):
        return value
    if value is False or value in ("none", "no", "off", "constant"):
        raise ValueError(f"{value!r} is no schedule; write null for a constant learning rate")
    raise ValueError(f"{value!r} is no schedule; write cosine, or {{milestones: [80, 160], factor: 0.1}}")


def _parse_partition(value: object) -> object:
    if value == "iid" or isinstance(value, dict | Dirichlet):
        return value
    raise ValueError(f"{value!r} is no partition; write iid, or {{dirichlet: 0.1}}")


Positive = Annotated[int, Ge(1), Le(10**9)]
Workers = Annotated[int, Ge(1), Le(1000)]  # a Linux bridge cannot join many more links than 1000
Threads = Annotated[int, Ge(1), Le(4096)]
ProfileHash = Annotated[str, Field(pattern=SHA256_PATTERN)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
Schedule = Annotated[Milestones | Literal["cosine"] | None, BeforeValidator(_parse_schedule)]
Partition = Annotated[Dirichlet | Literal["iid"], BeforeValidator(_parse_partition)]
Server = Literal["root", "sharded"]
Enforcement = Literal["kernel", "process"]
# ``measured`` and ``composed`` occur in results of earlier versions, ``trajectory`` in cells that are only trained.
Timing = Literal["interleaved", "end_to_end", "trajectory", "measured", "composed"]
DatasetChoice = Annotated[Choice, Installed("dataset")]
ModelChoice = Annotated[Choice, Installed("model")]
CompressorChoice = Annotated[Choice, Installed("compressor")]


# The other fields of the task of a profile. An epoch is one step.
_OF_PROFILE: Final[dict[str, Any]] = {
    "dataset": "profile",
    "model": "profile",
    "batch_size": 1,
    "epochs": 1,
    "learning_rate": 1.0,
}


class Task(Model):
    """The training task: data, model and hyperparameters; the optimizer is SGD.

    If ``profile`` is set, nothing is trained: steps of this profile are timed, and the other fields have no meaning.
    """

    profile: ProfileHash | None = Field(None, description="a profile to time instead of training")
    dataset: DatasetChoice
    model: ModelChoice
    batch_size: Positive = Field(description="samples per worker and minibatch")
    epochs: Positive
    learning_rate: Annotated[float, Gt(0)]
    schedule: Schedule = None
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    partition: Partition = Field("iid", description="how the training data are divided among the workers")
    precision: Literal["fp32", "bf16"] = "fp32"
    warmup_steps: Annotated[int, Ge(0)] = Field(0, description="first steps of a run that are trained, but not timed")

    @classmethod
    def of_profile(cls, sha256: str) -> Self:
        """Return the task of cells that time the steps of a profile, and train nothing."""
        return cls.model_validate({"profile": sha256})

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("profile") is not None and len(value) == 1:
            return {**_OF_PROFILE, **value}
        return value

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields without ``partition`` if it is ``iid``, the default; of a profile only its hash.

        The ids of cells from before this field existed stay the same for this reason.
        """
        if self.profile is not None:
            return {"profile": self.profile}
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if (name, value) not in LATER_FIELDS.items()}


class Cell(Model):
    """One training run: one combination of a scenario's matrix with one seed."""

    algorithm: Choice
    compressor: Choice | None
    server: Server | None
    block_bytes: BlockBytes | None = Field(description="null: the default buckets of DistributedDataParallel")
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
        """Return the fields without those that later versions added to cells, if these have their defaults.

        An id is a hash of the returned fields. So cells with these defaults keep the ids that they had in versions of
        liecbench without the fields.
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
        """A key that is equal for cells whose steps take equally long, such as cells that differ only in the seed."""
        return contestant_key(self.spec())

    @property
    def setting(self) -> str:
        """A key that is equal for cells that are compared with each other, and timed in the same timing session."""
        return setting_key(self.spec())

    @property
    def trajectory(self) -> "Cell":
        """The cell that is trained for the losses of this one, whose steps are only timed.

        It is the same cell without shaped links. Raises ValueError if nothing is trained.
        """
        if not self.is_trained:
            raise ValueError(f"{self.describe()}: nothing is trained")
        return Cell.from_spec(trajectory_spec(self.spec()))

    @property
    def is_trained(self) -> bool:
        """False if only steps of a profile are timed, without data and model."""
        return self.task.profile is None

    def at_rate(self, bits_per_second: int) -> "Cell":
        """Return a copy with scaled link rates, marked as added to narrow a break-even.

        All rates are multiplied by the factor that gives the default link this up rate.
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
        """Return the cell that has these fields, given as ``Cell.spec`` returns them."""
        return cls.model_validate(spec)

    def describe(self) -> str:
        """Return the algorithm, compressor, number of workers, link and seed in one line, for messages."""
        algorithm = f"{self.algorithm.name}({self.compressor.name})" if self.compressor else self.algorithm.name
        return f"{algorithm} · {self.workers} workers · {self.link} · seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell that is still to be trained or timed. Training goes on after the last recorded epoch.

    Attributes:
        cell: The cell to run.
        attempt: 1 if the cell was never started before, else one more than at its last start.
        epochs_done: The number of epochs that earlier attempts recorded.
        data_sha256: The hash of the data that the cell was trained on so far; None if it is unknown. If the cell is
            only timed, this is the hash for the cell that is trained for its losses.
        model_sha256: The hash of the file of the user's model that was trained so far; None if the cell has none.
    """

    cell: Cell
    attempt: int = 1
    epochs_done: int = 0
    data_sha256: str | None = None
    model_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A method that a timing session times in turns with other methods, with the same link, data and model.

    Attributes:
        cell: The cell whose steps are timed. Other cells with the same ``Cell.contestant`` have equal step times.
        jobs: The cells that complete with these timings, such as one per seed. Empty if the method was timed in an
            earlier session, and takes part only so that other methods can be compared with it.
    """

    cell: Cell
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A timing session: several methods are timed in turns, with the same link, data and model.

    Attributes:
        contestants: The methods. The session measures the speed-up of every other method over the first.
        precision: The half-width of a speed-up's 95 % interval that the session aims at, as a fraction of the speed-up.
    """

    contestants: tuple[Contestant, ...]
    precision: float

    @property
    def cell(self) -> Cell:
        """The first method's cell. The cells of all methods agree in workers, link, backend, device and threads."""
        return self.contestants[0].cell

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The cells, each with its state, that this session completes by timing their methods' steps."""
        return tuple(job for contestant in self.contestants for job in contestant.jobs)
