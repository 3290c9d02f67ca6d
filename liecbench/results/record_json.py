"""The JSON of records: one line each, checked against the types and ranges of the record's fields."""

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json

from liecbench.compressors.wrong_values import requirement
from liecbench.config.known_specs import spec_from_json
from liecbench.results.environment_record import Environment
from liecbench.results.records import TIMED_SECONDS, Epoch, Record, Start

SCHEMA: Final = 2
# The lines of the first schema have neither a number nor a checksum.
FIRST_SCHEMA: Final = 1
# Fields that a line lacks, by type, if they have these values.
_ABSENT: Final[dict[str, dict[str, object]]] = {
    "epoch": {"tokens": None, "optimizer_bytes": None, "samples": None},
    "end": {"link": None},
    "timing": {"dilation": 1, "raw_seconds": None, "message_divisor": 1, "late_seconds": None, "step_samples": None},
}
# By type, fields that no version wrote before it numbered the lines; of a start, those of its environment.
_NOT_IN_FIRST_SCHEMA: Final[dict[str, tuple[str, ...]]] = {
    "start": ("profile_sha256",),
    "epoch": ("tokens", "optimizer_bytes", "samples"),
    "timing": ("raw_seconds", "late_seconds", "step_samples"),
}
_MOST_ENVIRONMENTS: Final = 1000
_TYPES: Final[dict[str, Any]] = {cls.type: cls for cls in get_args(Record)}
_HEAD: Final = re.compile(rb'\{"type": "(start|epoch|timing|end)", "schema": ([12]), ')
_SPEC: Final = b', "spec": '
_ENVIRONMENT: Final = b', "environment": '
_SEAL: Final = re.compile(rb', "number": [1-9][0-9]*, "checksum": "[0-9a-f]{8}"\}')


@functools.cache
def _validator(record_type: str) -> Callable[[bytes], Any]:
    # TypeAdapter's own method takes a microsecond more per line.
    return TypeAdapter(_TYPES[record_type]).validator.validate_json


def to_json(record: Record) -> str:
    """Return a record as one line of JSON, without a line end.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON does not have.
    """
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    for name, value in fields.items():
        if isinstance(value, Environment):
            fields[name] = value.as_dict()
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields[name] = dataclasses.asdict(value)
    if isinstance(record, Epoch) and not record.timed_steps and not any(fields[name] for name in TIMED_SECONDS):
        fields |= dict.fromkeys(TIMED_SECONDS)
    for name, value in _ABSENT.get(record.type, {}).items():
        if fields[name] == value:
            del fields[name]
    return json.dumps({"type": record.type, "schema": SCHEMA, **fields}, allow_nan=False)


def from_json(line: str | bytes) -> Record:
    """Return the record in a line of JSON that ``to_json`` wrote, in this version or an earlier one.

    Unknown fields, which later versions may write, are ignored.

    Raises:
        ValueError: If the line is not a record of a known schema, or a value has the wrong type or is out of its range.
    """
    line = line.encode() if isinstance(line, str) else line
    head = _HEAD.match(line)
    record_type = head[1].decode() if head else _type_of(line)
    try:
        record: Record | None = _start(line) if record_type == Start.type else None
        return record or _validator(record_type)(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ValueError(_broken(first["msg"])) from None
        where = ".".join(map(str, first["loc"]))
        raise ValueError(": ".join(filter(None, [f"{record_type} record", where, requirement(first)]))) from None


def check_first_schema(line: bytes, record: Record) -> None:
    """Raise ValueError if ``line`` says schema 1, but has the fields of a later schema: somebody edited the number.

    It has them if one of its fields is unknown to schema 1, such as ``raw_seconds``, or if its environment has
    ``variables`` but no ``cpu_quota``. Other lines of a later schema are not recognised.

    Args:
        line: A line of the ledger with ``"schema": 1``, and with neither line number nor checksum.
        record: The record that was read from ``line``.
    """
    fields = record.environment if isinstance(record, Start) else record
    later = [name for name in _NOT_IN_FIRST_SCHEMA.get(record.type, ()) if getattr(fields, name) is not None]
    found = [f"has {name}, which came with schema {SCHEMA}" for name in later]
    # Versions that recorded variables wrote cpu_quota, too, as null if there was none, until schema 2 left null out.
    if isinstance(record, Start) and record.environment.variables is not None and b'"cpu_quota": ' not in line:
        found.append("has no cpu_quota beside its variables")
    if found:
        message = f"it says schema {FIRST_SCHEMA}, and {found[0]}"
        raise ValueError(f"{message}: its schema was changed, and its number and checksum are missing")


def _start(line: bytes) -> Start | None:
    """Return the Start record in a line by a fast parse; None if the line's layout needs the full parse."""
    # Specs and environments take most of the time to parse, and many lines have equal environments, and specs that
    # differ only in the seed. So both texts are cut out of the line, and equal texts are parsed only once.
    begin, end = line.rfind(_ENVIRONMENT), line.rfind(b', "number": ')
    if not 0 < begin < end or not _SEAL.fullmatch(line, end):
        end = len(line) - 1  # the first schema has no seal
    spec_begin = line.find(_SPEC, 0, begin)
    if begin < 0 or spec_begin < 0 or not line.endswith(b"}"):
        return None
    try:
        environment = _environment(line[begin + len(_ENVIRONMENT) : end])
        spec = spec_from_json(line[spec_begin + len(_SPEC) : begin])
        if spec is None:
            return None
        # The rest of the line is valid JSON only if whole values were cut out.
        record: Start = _validator(Start.type)(b"%b%b{}%b{}}" % (line[:spec_begin], _SPEC, _ENVIRONMENT))
    except ValueError:
        return None
    object.__setattr__(record, "spec", spec)
    object.__setattr__(record, "environment", environment)
    return record


@functools.lru_cache(maxsize=_MOST_ENVIRONMENTS)
def _environment(text: bytes) -> Environment:
    found: Environment = _environment_validator()(text)
    return found


@functools.cache
def _environment_validator() -> Callable[[bytes], Any]:
    return TypeAdapter(Environment).validator.validate_json


def _broken(message: str) -> str:
    """Return an error message for a line that is not JSON; ``message`` is the parser's message."""
    column = re.search(r"column (\d+)$", message)
    return f"not JSON: cut off or damaged{f' at character {column[1]}' if column else ''}"


def _type_of(line: bytes) -> str:
    """Return the type of the record in a line, such as ``epoch``.

    The fields of the record may be in any order. Raises ValueError if the line is no record of a known type and schema.
    """
    try:
        fields = parse_json(line)
    except ValueError as error:
        raise ValueError(_broken(str(error))) from None
    record_type = fields.get("type") if isinstance(fields, dict) else None
    if not isinstance(record_type, str) or record_type not in _TYPES:
        raise ValueError("not a start, epoch, timing or end record")
    schema = fields.get("schema")
    if type(schema) is not int or schema not in (FIRST_SCHEMA, SCHEMA):
        raise ValueError(f"schema {schema}; this version reads schemas {FIRST_SCHEMA} and {SCHEMA}")
    return record_type
