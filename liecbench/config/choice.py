"""Algorithms, compressors, datasets, models and optimizers as a scenario names them, with their options."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from liecbench.config.installed_choices import Installed


class Model(BaseModel):
    """A frozen pydantic model that refuses unknown keys and wrong types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


def split_options(value: object, reserved: tuple[str, ...]) -> object:
    """Return an algorithm, compressor, dataset, model or optimizer of a scenario as a mapping for pydantic to validate.

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
    """The name and the options of an algorithm, compressor, dataset, model or optimizer.

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


DatasetChoice = Annotated[Choice, Installed("dataset")]
ModelChoice = Annotated[Choice, Installed("model")]
CompressorChoice = Annotated[Choice, Installed("compressor")]
OptimizerChoice = Annotated[Choice, Installed("optimizer")]
