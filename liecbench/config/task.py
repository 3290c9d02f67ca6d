"""The training task of a scenario or a cell: data, model and hyperparameters."""

from typing import Annotated, Any, Final, Literal, Self

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.choice import Choice, DatasetChoice, Model, ModelChoice, OptimizerChoice
from liecbench.config.schedule_choice import Schedule
from liecbench.profiles.profile_store import SHA256_PATTERN


class Dirichlet(Model):
    """A partition of the training data that gives each worker a Dirichlet-distributed share of each label's samples.

    ``dirichlet`` is the distribution's concentration: the smaller it is, the more the workers' labels differ.
    """

    dirichlet: Annotated[float, Gt(0), Le(10**6)] = Field(
        description="concentration of each label's shares; the smaller, the more the workers' labels differ"
    )


def _parse_partition(value: object) -> object:
    if value == "iid" or isinstance(value, dict | Dirichlet):
        return value
    raise ValueError(f"{value!r} is no partition; write iid, or {{dirichlet: 0.1}}")


Positive = Annotated[int, Ge(1), Le(10**9)]
ProfileHash = Annotated[str, Field(pattern=SHA256_PATTERN)]
Partition = Annotated[Dirichlet | Literal["iid"], BeforeValidator(_parse_partition)]

# The other fields of the task of a profile. An epoch is one step.
_OF_PROFILE: Final[dict[str, Any]] = {
    "dataset": "profile",
    "model": "profile",
    "batch_size": 1,
    "epochs": 1,
    "learning_rate": 1.0,
}


class Task(Model):
    """The training task: data, model and hyperparameters.

    If ``profile`` is set, nothing is trained: steps of this profile are timed, and the other fields have no meaning.
    """

    profile: ProfileHash | None = Field(None, description="a profile to time instead of training")
    dataset: DatasetChoice = Field(description="the data: a name, a name with options, or module:function of your own")
    model: ModelChoice = Field(description="the network: a name, a name with options, or module:function of your own")
    batch_size: Positive = Field(description="samples per worker and minibatch")
    epochs: Positive = Field(description="epochs to train")
    learning_rate: Annotated[float, Gt(0)] = Field(description="the optimizer's learning rate, before the schedule")
    schedule: Schedule = Field(None, description="how the learning rate changes; null: not at all")
    optimizer: OptimizerChoice = Field(
        default_factory=lambda: Choice(name="sgd"), description="the optimizer: a name, or a name with options"
    )
    momentum: Annotated[float, Ge(0), Lt(1)] = Field(0.0, description="an option of sgd and muon")
    weight_decay: Annotated[float, Ge(0)] = Field(
        0.0, description="an option of the optimizer, each of which has a default of its own"
    )
    clip_grad_norm: Annotated[float, Gt(0)] | None = Field(
        None, description="the largest norm of the gradient that the optimizer sees, after the method averaged it"
    )
    accumulate: Positive = Field(1, description="minibatches per step, whose gradients are averaged")
    last_batch: Literal["drop", "keep"] = Field(
        "drop", description="keep: train also on the samples left at an epoch's end, in one smaller step"
    )
    partition: Partition = Field("iid", description="how the training data are divided among the workers")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="fp32, or bf16 with autocast")
    warmup_steps: Annotated[int, Ge(0)] = Field(0, description="first steps of a run that are trained, but not timed")

    @classmethod
    def of_profile(cls, sha256: str) -> Self:
        """Return a task that trains nothing: the steps of a profile are timed.

        Args:
            sha256: The SHA-256 of the profile's file.
        """
        return cls.model_validate({"profile": sha256})

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("profile") is not None and len(value) == 1:
            return {**_OF_PROFILE, **value}
        return value

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the task's fields or, if the task has a profile, only the profile's hash.

        A field that the first version of liecbench did not have, such as ``partition``, is left out if the field has
        its default value. Cells that were recorded without the field thus keep their ids.
        """
        if self.profile is not None:
            return {"profile": self.profile}
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if (name, value) not in LATER_FIELDS.items()}
