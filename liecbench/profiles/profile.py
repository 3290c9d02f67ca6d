"""The profile of one model on one device: times to compute and to compress, and nothing about a network.

``liecbench profile`` measures a profile. A profile is a small JSON file, which other tools or people may write, too.
Ranks replay a profile instead of computing, and ``liecbench predict`` computes step times from it.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SCHEMA: Literal[1] = 1
# A gradient may become ready slightly after the median backward pass has ended, because both are medians.
_READY_TOLERANCE = 0.05
MOST_ELEMENTS = 10**13


def _require_name(choice: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(choice.get("name"), str):
        raise ValueError(f'{choice} has no name; write it as {{"name": "sign"}}, with its options as further keys')
    return choice


Seconds = Annotated[float, Ge(0), Le(10**6)]
Named = Annotated[dict[str, Any], AfterValidator(_require_name)]


class _Frozen(BaseModel):
    """A frozen pydantic model that refuses unknown keys, values of another type, and values that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Duration(_Frozen):
    """The median and the spread of a time that was measured several times."""

    median: Seconds = Field(description="seconds")
    spread: Seconds = Field(0.0, description="half of the interquartile range, in seconds")


class Line(_Frozen):
    """Seconds as a function of size: ``constant`` + ``per_element`` × number of elements."""

    constant: Seconds
    per_element: Seconds

    def seconds(self, numel: int) -> float:
        """Return the seconds of one operation on ``numel`` elements; 0 if ``numel`` is 0."""
        return self.constant + self.per_element * numel if numel else 0.0


class ParameterTimes(_Frozen):
    """A trainable parameter, and the moment at which its gradient is ready."""

    name: str
    shape: tuple[Annotated[int, Ge(0), Le(MOST_ELEMENTS)], ...]
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    ready_seconds: Seconds = Field(description="from the start of the backward pass until the gradient is ready")


class CompressorTimes(_Frozen):
    """The seconds that each operation of one compressor takes, as a function of the vector's number of elements."""

    compressor: Named = Field(description="name and all options, as in a scenario")
    compress: Line = Field(description="compress a vector and keep what is lost")
    decompress: Line = Field(description="write a decompressed message to a vector")
    accumulate: Line = Field(description="add a decompressed message to a vector")


class MethodTimes(_Frozen):
    """The seconds of a method's own work in one step on one rank.

    Neither the computing of the model nor the compressor's operations are included. Examples of own work are copies of
    gradients, updates of error memories, PowerSGD's matrix products, and casts to half precision.
    """

    algorithm: Named = Field(description="name and all options, as in a scenario")
    compressor: Named | None = Field(None, description="name and all options, as in a scenario")
    kind: str = Field(description="the kind of the step, such as averaging")
    local: Seconds = Field(description="seconds per step")
    spread: Seconds | None = Field(None, description="half of the interquartile range of local; null if unknown")


class UpdateTimes(_Frozen):
    """The seconds per step of one optimizer, and of the gradient clipping before the optimizer's step.

    ``Profile.updates`` has one entry for each combination of optimizer and clipping that the profiled methods use,
    except the combination of the profile's task.
    """

    update: dict[str, Any] = Field(description="the optimizer's fields of a task, as in a scenario")
    clip: Duration = Duration(median=0.0)
    optimizer: Duration


class Profile(_Frozen):
    """The seconds that one device takes to compute the parts of one model's training step, and to compress vectors."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    origin: Literal["measured", "assumed", "written"] = Field(
        "written", description="measured by liecbench, assumed from a number of parameters, or written otherwise"
    )
    assumptions: tuple[str, ...] = Field((), description="what was assumed rather than measured, in words")
    task: dict[str, Any] | None = Field(None, description="the task's model, dataset and so on, as in a scenario")
    model_sha256: str | None = Field(None, description="the hash of the user's file that has the model")
    device: Literal["cpu", "cuda"] = "cpu"
    device_name: str = ""
    threads: Annotated[int, Ge(1)] = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    batch_size: Annotated[int, Ge(1)] | None = Field(None, description="samples per worker and minibatch")
    versions: dict[str, str] = {}
    steps: Annotated[int, Ge(0)] = Field(0, description="number of measured steps")
    forward: Duration
    backward: Duration
    clip: Duration = Duration(median=0.0)
    optimizer: Duration
    parameters: Annotated[tuple[ParameterTimes, ...], MinLen(1)] = Field(
        description="the trainable parameters in the model's order"
    )
    compressors: tuple[CompressorTimes, ...] = ()
    methods: tuple[MethodTimes, ...] = ()
    updates: tuple[UpdateTimes, ...] = Field((), description="times of other optimizers than the task's")
    message_seconds: Seconds | None = Field(
        None, description="what a rank with a processor of its own takes per message besides its transfer"
    )
    hop_seconds: Seconds | None = Field(
        None, description="the same per message that a ring all-reduce passes from rank to rank"
    )

    copy_to_host: Line | None = Field(None, description="copy float32 elements from the GPU to the host")
    copy_to_device: Line | None = Field(None, description="copy float32 elements from the host to the GPU")

    @property
    def compute_seconds(self) -> float:
        """The compute seconds of a step of one minibatch: median forward + backward + clip + optimizer."""
        return self.forward.median + self.backward.median + self.clip.median + self.optimizer.median

    @property
    def num_parameters(self) -> int:
        """Number of elements of all trainable parameters together."""
        return sum(_numel(parameter.shape) for parameter in self.parameters)

    def update_seconds(self, update: dict[str, Any] | None) -> float:
        """Return the seconds per step of gradient clipping and the optimizer: the sum of the two medians.

        Args:
            update: The fields of a task that describe the optimizer and clipping, such as ``optimizer`` and
                ``clip_grad_norm``. If ``update`` is None, or if the profile has no times for ``update``, the seconds
                of the profiled task are returned.
        """
        found = next((one for one in self.updates if one.update == update), None)
        clip, optimizer = (self.clip, self.optimizer) if found is None else (found.clip, found.optimizer)
        return clip.median + optimizer.median

    def compressor_times(self, compressor: dict[str, Any]) -> CompressorTimes | None:
        """Return the seconds of each operation of a compressor; None if the profile has no times of the compressor.

        Args:
            compressor: The compressor's name and all its options, such as ``{"name": "top_k", "ratio": 0.01}``.
        """
        return next((times for times in self.compressors if times.compressor == compressor), None)

    def local_seconds(self, algorithm: dict[str, Any], compressor: dict[str, Any] | None, kind: str) -> float | None:
        """Return the seconds per step that the method's own work takes on one rank.

        Own work includes neither the computing of the model nor the compressor's operations. Return None if the
        profile has no times of this method, compressor and step kind.

        Args:
            algorithm: The method's name and options.
            compressor: The compressor's name and options; None if the method has no compressor.
            kind: The step kind, such as ``averaging``.
        """
        wanted = (algorithm, compressor, kind)
        return next((one.local for one in self.methods if (one.algorithm, one.compressor, one.kind) == wanted), None)

    @model_validator(mode="after")
    def _possible_parameters(self) -> Self:
        limit = self.backward.median * (1 + _READY_TOLERANCE)
        for index, parameter in enumerate(self.parameters):
            if parameter.ready_seconds > limit:
                raise ValueError(
                    f"parameters.{index}.ready_seconds: the gradient of {parameter.name} is ready after "
                    f"{parameter.ready_seconds:g} s, but the backward pass ends after {self.backward.median:g} s; "
                    "count ready_seconds from the start of the backward pass"
                )
        _require_once("parameters", [parameter.name for parameter in self.parameters])
        if not 0 < self.num_parameters <= MOST_ELEMENTS:
            raise ValueError(
                f"parameters: {self.num_parameters} elements together; give a model of 1 to {MOST_ELEMENTS:,}"
            )
        return self

    @model_validator(mode="after")
    def _no_entry_twice(self) -> Self:
        _require_once("compressors", [times.compressor for times in self.compressors])
        _require_once("methods", [(one.algorithm, one.compressor, one.kind) for one in self.methods])
        return self


def _require_once(key: str, entries: Sequence[object]) -> None:
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        first = seen.setdefault(json.dumps(entry, sort_keys=True, default=str), index)
        if first != index:
            raise ValueError(f"{key}.{index}: {entry} stands at {key}.{first} already; remove one of the two")


def _numel(shape: tuple[int, ...]) -> int:
    numel = 1
    for size in shape:
        numel *= size
    return numel
