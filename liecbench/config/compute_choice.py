"""The pydantic types of ``compute`` and ``dilation``, two fields of a scenario.

``compute`` says whether ranks compute or replay a profile. ``dilation`` is the factor by which a replay is slowed down.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from liecbench.config.bundled_scenarios import profile_names, profile_path
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.profiles.profile_store import ProfileFile

Compute = Literal["measured", "replayed"]
WORDS: Final = ("auto", "measured", "replayed")
_PATH_OR_NAME: Final = "the path of a profile, relative to the scenario's file, or the name of a bundled one"
# The key in pydantic's validation context of the directory that the paths in a scenario are relative to.
DIRECTORY_KEY: Final = "directory"
MOST_DILATION: Final = 1000


def _parse_profile_file(value: object, info: ValidationInfo) -> object:
    if isinstance(value, ProfileFile):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no profile; write its path or name, such as profile.json or h100-resnet18")
    directory: Path = (info.context or {}).get(DIRECTORY_KEY, Path())
    try:
        return ProfileFile.read(profile_path(value, base=directory), value)
    except LiecbenchError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:  # a null character in the path
        raise ValueError(f"{value!r}: {error}") from None


def _parse_compute(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and value in WORDS:
        return value
    directory: Path = (info.context or {}).get(DIRECTORY_KEY, Path())
    if isinstance(value, str) and value.replace("-", "").isalnum() and not (directory / value).is_file():
        names = profile_names()
        if value not in names:
            message = f"{value!r} is neither {', '.join(WORDS)} nor a profile's file, such as profile.json, or name"
            raise ValueError(f"{message}; {did_you_mean(value, (*WORDS, *names))}")
    return _parse_profile_file(value, info)


def _parse_dilation(value: object) -> object:
    if value == "auto" or (type(value) is int and 1 <= value <= MOST_DILATION):
        return value
    raise ValueError(f"{value!r} is no dilation; write auto, or an integer from 1 to {MOST_DILATION}")


def _written(value: object) -> Any:
    """Return the value of ``compute`` or ``profile`` as the ``scenario.yaml`` of a results directory stores it.

    If ``value`` is a profile, return the path of the profile's copy in the results directory. Else return ``value``.
    """
    return value.stored_name if isinstance(value, ProfileFile) else value


ProfilePath = Annotated[
    ProfileFile,
    BeforeValidator(_parse_profile_file),
    PlainSerializer(_written),
    WithJsonSchema({"type": "string", "description": _PATH_OR_NAME}),
]
ComputeChoice = Annotated[
    Literal["auto", "measured", "replayed"] | ProfileFile,
    BeforeValidator(_parse_compute),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(WORDS)},
                {"type": "string", "description": _PATH_OR_NAME},
            ]
        }
    ),
]
Dilation = Annotated[Literal["auto"] | Annotated[int, Ge(1), Le(MOST_DILATION)], BeforeValidator(_parse_dilation)]
