"""The profile of one model on one device: times to compute and to compress, and nothing about a network.

``liecbench profile`` measures it. Other tools, or people, may write it, too: it is a small JSON file. Ranks replay it
instead of computing, and ``liecbench predict`` computes step times from it.
"""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, MinLen
from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA: Literal[1] = 1
# A gradient may become ready slightly after the median backward pass has ended, because both are medians.
_READY_TOLERANCE = 0.05

Seconds = Annotated[float, Ge(0)]


class _Frozen(BaseModel):
    """A frozen pydantic model that refuses unknown keys, and values that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Duration(_Frozen):
    """A time that was measured several times."""

    median: Seconds = Field(description="seconds")
    spread: Seconds = Field(0.0, description="half of the interquartile range, in seconds")


class Line(_Frozen):
    """Seconds as a function of size: ``constant`` + ``per_element`` × number of elements."""

    constant: Seconds
    per_element: Seconds

    def seconds(self, numel: int) -> float:
        """Return the seconds for ``numel`` elements; 0 for none."""
        return self.constant + self.per_element * numel if numel else 0.0


class ParameterTimes(_Frozen):
    """A trainable parameter, and the moment at which its gradient is ready."""

    name: str
    shape: tuple[Annotated[int, Ge(0)], ...]
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    ready_seconds: Seconds = Field(description="from the start of the backward pass until the gradient is ready")


class CompressorTimes(_Frozen):
    """Seconds of a compressor's operations."""

    compressor: dict[str, Any] = Field(description="name and options, as in a scenario")
    compress: Line = Field(description="compress a vector and keep what is lost")
    decompress: Line = Field(description="write a decompressed message to a vector")
    accumulate: Line = Field(description="add a decompressed message to a vector")


class MethodTimes(_Frozen):
    """What a step of a method takes on one rank beyond computing and its compressor's operations.

    Examples are copies of gradients, arithmetic with memories, PowerSGD's products, and casts to half precision.
    """

    algorithm: dict[str, Any] = Field(description="name and options, as in a scenario")
    compressor: dict[str, Any] | None = Field(None, description="name and options, as in a scenario")
    kind: str = Field(description="the kind of the step, such as averaging")
    local: Seconds = Field(description="seconds per step")


class Profile(_Frozen):
    """One model on one device by itself, with what its training step needs to compute and to compress."""

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
    message_seconds: Seconds | None = Field(
        None, description="what a rank with a processor of its own takes per message besides its transfer"
    )

    @property
    def compute_seconds(self) -> float:
        """Seconds that a step of one minibatch computes: forward, backward, clip and optimizer."""
        return self.forward.median + self.backward.median + self.clip.median + self.optimizer.median

    @property
    def num_parameters(self) -> int:
        """Number of elements of all trainable parameters together."""
        return sum(_numel(parameter.shape) for parameter in self.parameters)

    def compressor_times(self, compressor: dict[str, Any]) -> CompressorTimes | None:
        """Return the times of the compressor with this name and these options; None if the profile has none."""
        return next((times for times in self.compressors if times.compressor == compressor), None)

    def local_seconds(self, algorithm: dict[str, Any], compressor: dict[str, Any] | None, kind: str) -> float | None:
        """Return the seconds of a step on one rank beyond computing and compressors; None if the profile has none."""
        wanted = (algorithm, compressor, kind)
        return next((one.local for one in self.methods if (one.algorithm, one.compressor, one.kind) == wanted), None)

    @model_validator(mode="after")
    def _ready_during_backward(self) -> Self:
        limit = self.backward.median * (1 + _READY_TOLERANCE)
        for parameter in self.parameters:
            if parameter.ready_seconds > limit:
                raise ValueError(
                    f"the gradient of {parameter.name} is ready after {parameter.ready_seconds:g} s, "
                    f"but the backward pass ends after {self.backward.median:g} s"
                )
        return self


def _numel(shape: tuple[int, ...]) -> int:
    numel = 1
    for size in shape:
        numel *= size
    return numel
