"""Algorithms, compressors, datasets, models and optimizers as a scenario names them, with their options."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from liecbench.config.installed_choices import Installed

# Options that the first versions did not have, by name and option, each with the value that a choice without it stands
# for. They are left out where they have this value, so that the ids of earlier cells stay the same.
_LATER_OPTIONS: Final[Mapping[tuple[str, str], Any]] = {
    ("int8", "values_per_scale"): None,
    ("psgd", "per_tensor"): False,
    ("tiny_imagenet", "normalisation"): "cifar10",
}


def naming_options(choice: Mapping[str, Any]) -> set[str]:
    """Return the names of the options in ``choice`` that are always shown in a method's name, such as ``per_tensor``.

    Other options are shown only if they differ between the compared methods.

    Args:
        choice: An algorithm or compressor as a cell's spec has it, such as ``{"name": "psgd", "per_tensor": True}``.
    """
    # Later versions of liecbench added these options. A spec has one only if its value is not the default.
    return {option for option in choice if (choice["name"], option) in _LATER_OPTIONS}


class Model(BaseModel):
    """A frozen pydantic model that refuses unknown keys and wrong types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


def split_options(value: object, reserved: tuple[str, ...]) -> object:
    """Return an algorithm, compressor, dataset, model or optimizer with the options in a mapping of their own.

    For example, ``{"name": "liec", "average_period": 16}`` becomes
    ``{"name": "liec", "options": {"average_period": 16}}``.

    Args:
        value: The value in the scenario: a name, or a mapping with the key ``name``.
        reserved: The keys of ``value`` that are not options, such as ``name``.

    Returns:
        A new mapping, for pydantic to validate. A name becomes ``{"name": value}``.

    Raises:
        ValueError: ``value`` has neither of the two forms.
    """
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict) or "name" not in value:
        if value is None:
            raise ValueError("there is no value; write a name, or {name: …, option: …}")
        raise ValueError(f"{value!r} is neither a name nor a mapping with a name; write {{name: …, option: …}}")
    options = {key: item for key, item in value.items() if key not in reserved}
    return {**{key: value[key] for key in reserved if key in value}, "options": options}


class Choice(Model):
    """The name and the options of an algorithm, compressor, dataset, model or optimizer.

    In a scenario it is written ``name`` or ``{name: …, option: …}``.
    """

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value if isinstance(value, Choice) else split_options(value, ("name",))

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        later = _LATER_OPTIONS.items()
        given = {option: value for option, value in self.options.items() if ((self.name, option), value) not in later}
        return {"name": self.name, **given}


DatasetChoice = Annotated[Choice, Installed("dataset")]
ModelChoice = Annotated[Choice, Installed("model")]
CompressorChoice = Annotated[Choice, Installed("compressor")]
OptimizerChoice = Annotated[Choice, Installed("optimizer")]
