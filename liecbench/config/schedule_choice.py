"""The schedule of a task: how its learning rate changes during training, with a linear warm-up."""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from liecbench.config.choice import Model

_EXAMPLES = "write cosine, or {milestones: [80, 160], factor: 0.1}, or {name: cosine, warmup_steps: 100}"


class WarmUp(Model):
    """A linear warm-up of n steps: in step t, counted from 1, the learning rate is multiplied by t / n."""

    warmup_steps: Annotated[int, Ge(0), Le(10**9)] = Field(0, description="steps of a linear warm-up")
    warmup_epochs: Annotated[float, Ge(0), Le(10**6)] = Field(0.0, description="the same in epochs, which may be 0.5")

    @property
    def has_warmup(self) -> bool:
        """True if the learning rate warms up."""
        return bool(self.warmup_steps or self.warmup_epochs)

    def num_warmup_steps(self, steps_per_epoch: int) -> int:
        """Return the number of steps in which the learning rate rises."""
        return self.warmup_steps or round(self.warmup_epochs * steps_per_epoch)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.warmup_steps and self.warmup_epochs:
            raise ValueError("warmup_steps and warmup_epochs are both given; remove one of the two")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the schedule's fields, without the fields of the warm-up that are 0."""
        # The ids of cells depend on these fields. Without a warm-up, an id must stay as it was before warm-ups existed.
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if not name.startswith("warmup_") or value}


class Milestones(WarmUp):
    """A schedule that multiplies the learning rate by ``factor`` at each epoch in ``milestones``, counted from 0."""

    milestones: list[Annotated[int, Ge(1)]] = Field(description="epochs, counted from 0, in rising order")
    factor: Annotated[float, Gt(0)] = Field(0.1, description="what the learning rate is multiplied by at each of them")

    @field_validator("milestones")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)):
            raise ValueError(f"{value} does not rise; write the epochs in order, each once")
        return value


class Cosine(WarmUp):
    """A schedule that lowers the learning rate to 0 as a cosine does.

    If ``every`` is ``step``, the cosine begins after the warm-up, and falls at each step. If ``every`` is ``epoch``,
    the cosine begins in the first epoch, falls once per epoch, and is multiplied by the factor of the warm-up. The text
    ``schedule: cosine`` is short for ``every: epoch`` without a warm-up.
    """

    name: Literal["cosine"] = Field(description="the learning rate falls to 0 as a cosine does")
    every: Literal["step", "epoch"] = Field("step", description="how often the learning rate changes")


class Constant(WarmUp):
    """A constant learning rate, after the warm-up."""

    name: Literal["constant"] = Field(description="the learning rate stays, after the warm-up")


def _parse(value: object) -> object:
    if value is None or value == "cosine" or isinstance(value, WarmUp):
        return value
    if isinstance(value, dict):
        if "name" in value and value["name"] not in ("cosine", "constant"):
            raise ValueError(f"{value['name']!r} is no schedule; {_EXAMPLES}")
        only_warms_up = value and set(value) <= {"warmup_steps", "warmup_epochs"}
        return {"name": "constant", **value} if only_warms_up else value
    if value is False or value in ("none", "no", "off", "constant"):
        raise ValueError(f"{value!r} is no schedule; write null for a constant learning rate")
    raise ValueError(f"{value!r} is no schedule; {_EXAMPLES}")


def _kind(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return "plain"
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return "milestones" if name is None else str(name)


def schedule_keys(value: Any) -> list[str]:
    """Return the valid keys of a schedule that is written as the mapping ``value``; they depend on its name."""
    forms: dict[str | None, type[WarmUp]] = {"milestones": Milestones, "cosine": Cosine, "constant": Constant}
    return ["name", *(key for key in forms.get(_kind(value), Milestones).model_fields if key != "name")]


def _shortest(value: Milestones | Cosine | Constant | str | None) -> Milestones | Cosine | Constant | str | None:
    """Replace a schedule by its short form, if it has one, so that cells with equal schedules have equal ids.

    Only schedules without a warm-up have a short form. The short form of a ``Cosine`` with ``every: epoch`` is the text
    ``cosine``. The short form of a ``Constant`` is None.
    """
    if isinstance(value, Cosine) and value.every == "epoch" and not value.has_warmup:
        return "cosine"
    return None if isinstance(value, Constant) and not value.has_warmup else value


Schedule = Annotated[
    Annotated[Milestones, Tag("milestones")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Literal["cosine"] | None, Tag("plain")],
    Discriminator(_kind),
    BeforeValidator(_parse),
    AfterValidator(_shortest),
]
