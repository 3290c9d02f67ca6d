"""Read, write and describe the JSON file of a profile, which another tool or a person may have written."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from liecbench.compressors.wrong_values import MISSING_KEY, requirement
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.profiles.profile import (
    SCHEMA,
    CompressorTimes,
    Duration,
    Line,
    MethodTimes,
    ParameterTimes,
    Profile,
)
from liecbench.untrusted import regular_files
from liecbench.untrusted.plain_text import one_line

_MOST_BYTES: Final = 2**26
_SEAL: Final = re.compile(r',\s*"sha256"\s*:\s*"([0-9a-f]{64})"\s*\}\s*$')
_MEASURE: Final = "measure one with `liecbench profile`"
_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "parameters": ParameterTimes,
    "compressors": CompressorTimes,
    "methods": MethodTimes,
    **dict.fromkeys(("forward", "backward", "clip", "optimizer"), Duration),
    **dict.fromkeys(("compress", "decompress", "accumulate", "copy_to_host", "copy_to_device"), Line),
}


def read_profile(path: Path) -> Profile:
    """Return the profile in a JSON file.

    Raises LiecbenchError if the file is no profile, cannot be read, or was changed after it was sealed (see
    ``sealed_text``).
    """
    try:
        text = regular_files.read_text(path, _MOST_BYTES)
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", f"give the file of a profile, or {_MEASURE}") from None
    except UnicodeDecodeError:
        raise LiecbenchError(f"{path}: not UTF-8 text, so it is no profile", _MEASURE) from None
    return parse_profile(text, str(path))


def parse_profile(text: str, source: str) -> Profile:
    """Return the profile in JSON text; ``source`` names the text in error messages.

    Raises LiecbenchError, with the key of the first mistake, if the text is not a profile. Also raises it if the text
    was changed after it was sealed (see ``sealed_text``).
    """
    text = _without_seal(text, source)
    try:
        content = json.loads(text, object_pairs_hook=_without_twice, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"{source}:{error.lineno}:{error.colno}"
        raise LiecbenchError(f"{where}: not JSON from here on", f"correct it, or {_MEASURE}") from None
    except RecursionError:
        raise LiecbenchError(f"{source}: nested too deeply for a profile", _MEASURE) from None
    except ValueError as error:
        raise LiecbenchError(f"{source}: {one_line(str(error))}") from None
    if not isinstance(content, dict) or "schema" not in content:
        wanted = f'add "schema": {SCHEMA}, or {_MEASURE}'
        raise LiecbenchError(f"{source}: schema: the key is missing, so this is no profile", wanted)
    schema = content["schema"]
    if type(schema) is not int or schema != SCHEMA:
        remedy = f"measure it again with `liecbench profile`, or write a profile of schema {SCHEMA}"
        raise LiecbenchError(f"{source}: schema: {schema!r}, but this version reads {SCHEMA}", remedy)
    try:
        return Profile.model_validate_json(text)
    except ValidationError as error:
        raise LiecbenchError(f"{source}: {_first(error)}") from None


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile to a JSON file, as a whole or not at all. Raises LiecbenchError if it cannot be written."""
    _write(path, profile_text(profile))


def write_sealed(path: Path, profile: Profile) -> None:
    """Write a profile to a JSON file, as ``write_profile`` does, but sealed with a hash; see ``sealed_text``."""
    _write(path, sealed_text(profile))


def _write(path: Path, text: str) -> None:
    try:
        regular_files.write_text(path, text)
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", "give a file in a directory that you can write") from None


def profile_text(profile: Profile) -> str:
    """Return a profile as the text of its file: one line per key, and one per entry of its lists."""
    content = profile.model_dump(mode="json", by_alias=True)
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_entry(value)}" for key, value in content.items()) + "\n}\n"


def sealed_text(profile: Profile) -> str:
    """Return the text of a profile's file, sealed with a hash: ``read_profile`` then rejects a changed file.

    The text is that of ``profile_text`` with one more key at the end, ``sha256``, the hash of all the rest. Runs seal
    the profiles that they measure, because later runs replay these profiles.
    """
    text = profile_text(profile)
    return f'{text[:-3]},\n  "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


def _without_seal(text: str, source: str) -> str:
    seal = _SEAL.search(text)
    if seal is None:
        return text
    rest = f"{text[: seal.start()]}\n}}\n"
    if hashlib.sha256(rest.encode()).hexdigest() != seal[1]:
        message = f"{source}: sha256: the profile was changed after liecbench had written it"
        raise LiecbenchError(message, "restore it, or delete it; if the change is yours, remove the key")
    return rest


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a profile's file."""
    schema = Profile.model_json_schema()
    schema["properties"]["sha256"] = {
        "description": "Written by liecbench: the hash of the rest. Remove it if you change the profile.",
        "type": "string",
    }
    return {
        **schema,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liecbench profile",
        "required": ["schema", *schema["required"]],
    }


def _entry(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key}: the key appears twice in one object; remove one")
        found[key] = value
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number; write a finite one")


def _first(error: ValidationError) -> str:
    """Return one of pydantic's errors as text, such as ``backward: the key is missing; add it``.

    The chosen error is the first one about an unknown key. If no key is unknown, the first error is chosen.
    """
    # A misspelt key causes two errors: it is unknown, and the correct key is missing.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    path, message = first["loc"], requirement(first)
    if first["type"] == "extra_forbidden":
        message = f"there is no such key here ({did_you_mean(path[-1], _valid_keys(path[:-1]))}); correct or remove it"
    elif first["type"] == "missing":
        message = MISSING_KEY
    elif first["type"] == "too_short":
        message = "[] is empty; give at least one"
    elif first["type"] != "value_error":
        message = f"{first['input']!r} {message}; correct it"
    where = ".".join(map(str, path))
    return one_line(f"{where}: {message}" if where else message)


def _valid_keys(path: tuple[int | str, ...]) -> list[str]:
    """Return the valid keys of the section at ``path`` in a profile's file."""
    names = [part for part in path if isinstance(part, str)]
    model = _SECTIONS[names[-1]] if names else Profile
    return [field.alias or name for name, field in model.model_fields.items()]
