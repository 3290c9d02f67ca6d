"""Damage to a small ledger: deterministic and random changes of its lines, fields and bytes."""

import copy
import dataclasses
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from liecbench.config.cell import Cell
from liecbench.results.environment_record import Environment
from liecbench.results.ledger_line import seal
from liecbench.results.records import Record, Start
from tests import break_even_ledger, ledgers

WRONG: Final[dict[str, Any]] = {
    "a text": "7",
    "a truth": True,
    "a list": [1],
    "a mapping": {"a": 1},
    "negative": -1,
    "huge": 10**300,
    "not a number": float("nan"),
    "infinite": float("inf"),
}
# Fields for which these values are right: losses may be negative.
RIGHT: Final = {("train_loss", "negative"), ("test_loss", "negative")}
ENVIRONMENT: Final = Environment.of(
    {
        "cpu": "A",
        "num_cpus": 2,
        "memory_bytes": 10**9,
        "torch": "2.6.0",
        "threads": 1,
        "variables": {"OMP_NUM_THREADS": "1"},
        "gpu": {"names": ["G"], "num_gpus": 1, "memory_bytes": [10**9], "ranks_per_gpu": [[2]]},
        "link": {
            "enforcement": "kernel",
            "emulator": "tbf",
            "asked": "20mbit",
            "measured": [{"up_bits_per_second": 2e7, "down_bits_per_second": 2e7, "round_trip_seconds": 1e-3}] * 2,
            "congestion_control": "reno",
        },
        "profile_sha256": "0123456789abcdef" * 4,
        "test_set": {"labels": 360.0, "commonest_share": 0.1, "unigram_loss": 2.3},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A change of a ledger.

    Attributes:
        name: What was changed.
        text: The changed ledger.
        line: The number of a line that a command must name; None if the change may go unseen.
    """

    name: str
    text: bytes
    line: int | None


def whole() -> list[str]:
    """Return the lines of a ledger with trained, timed, failed and unfinished cells."""
    figures = {"gpu": {"power_watts": 90.0, "utilisation": 0.5}, "wire": (150, 150)}
    runs = [
        ledgers.run_of(f"{name}{seed}", [figures, figures], algorithm=name, seed=seed, timing="end_to_end")
        for name in ("ddp", "psgd")
        for seed in (0, 1)
    ]
    runs = [[_with_environment(record) for record in run] for run in runs]
    lost: list[Record] = [ledgers.start("lost", seed=2), ledgers.epoch("lost"), ledgers.end("lost", status="failed")]
    again: list[Record] = [
        ledgers.start("lost", seed=2, attempt=2, epochs_done=1),
        ledgers.epoch("lost", 2, attempt=2),
        ledgers.end("lost", attempt=2),
    ]
    profile = {"compute": "replayed", "profile": "0123456789abcdef" * 4, "dilation": 4}
    fields: dict[str, Any] = {"link": "10mbit", "timing": "interleaved", **profile}
    timed = [Cell.from_spec(ledgers.spec(name, **fields)) for name in ("ddp", "psgd")]
    replayed = [ledgers.dilated(record, 4.0) for record in break_even_ledger.ledger(timed, placements=2)]
    return ledgers.lines_of(*runs, lost, again, replayed, [ledgers.start("open", seed=3)])


def _with_environment(record: Record) -> Record:
    return dataclasses.replace(record, environment=ENVIRONMENT) if isinstance(record, Start) else record


def first_schema(lines: list[str]) -> list[str]:
    """Return the lines as the first version wrote them: without number, checksum and later fields."""
    return [json.dumps({**_in_first_schema(_fields(line)), "schema": 1}) + "\n" for line in lines]


def _in_first_schema(fields: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in fields.items() if name not in ("dilation", "raw_seconds")}
    if "environment" in found:
        environment = found["environment"].items()
        kept = {name: value for name, value in environment if name != "profile_sha256"}
        found["environment"] = {"cpu_quota": None, **kept}
    return found


def _fields(line: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line)
    return {name: value for name, value in fields.items() if name not in ("number", "checksum")}


def moved_lines(lines: list[str]) -> Iterator[Damage]:
    """Yield the ledger with each line deleted, repeated, and exchanged with the next."""
    for number in range(len(lines)):
        before, line, after = lines[:number], lines[number], lines[number + 1 :]
        here = number + 1
        yield _damage(f"line {here} is deleted", [*before, *after], here if after else None)
        yield _damage(f"line {here} is repeated", [*before, line, line, *after], here + 1)
        if after:
            yield _damage(f"line {here} stands after the next", [*before, after[0], line, *after[1:]], here)


def _damage(name: str, lines: list[str], line: int | None) -> Damage:
    return Damage(name=name, text="".join(lines).encode(), line=line)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each number and text in parsed JSON."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))
    elif value is not None:
        yield path


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return what stands at a path in parsed JSON."""
    for key in path:
        value = value[key]
    return value


def changed(fields: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return parsed JSON with another value at a path."""
    copied = copy.deepcopy(fields)
    inner: Any = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def wrong_fields(lines: list[str], *, sealed: bool) -> Iterator[Damage]:
    """Yield the ledger with each number of a start, an epoch, a burst and an end replaced by each wrong value.

    Args:
        lines: The ledger's lines.
        sealed: True to give the changed line a checksum that fits, as nobody does by accident.
    """
    seen: set[tuple[str, tuple[str | int, ...]]] = set()
    for number, line in enumerate(lines, start=1):
        fields = _fields(line)
        for path in places(fields):
            one = (fields["type"], path)
            if one in seen or (isinstance(path[-1], int) and path[-1] > 0) or path[-1] == "schema":
                continue
            seen.add(one)
            original = at(fields, path)
            for name, value in WRONG.items():
                if (name == "a text" and isinstance(original, str)) or (path[-1], name) in RIGHT:
                    continue
                text = json.dumps(changed(fields, path, value))
                if sealed:
                    text = seal(text, number)
                elif "checksum" in line:
                    text = text[:-1] + line[line.index(', "number"') :].rstrip("\n")
                place = ".".join(map(str, path))
                what = f"{fields['type']} {place} is {name}"
                yield _damage(what, [*lines[: number - 1], f"{text}\n", *lines[number:]], number)


def bytes_changed(lines: list[str], count: int) -> Iterator[Damage]:
    """Yield the ledger with one bit flipped, at ``count`` places, and cut off, at as many."""
    content, rng = "".join(lines).encode(), random.Random(20)
    for place in sorted(rng.sample(range(len(content) - 1), count)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.randrange(8)
        line = content.count(b"\n", 0, place) + 1
        yield Damage(name=f"bit flipped at byte {place}", text=bytes(flipped), line=line)
        yield Damage(name=f"cut off at byte {place}", text=content[:place], line=None)


def randomly(lines: list[str], rng: random.Random) -> Damage:
    """Return the ledger with up to three random changes of lines or bytes."""
    changed = list(lines)
    names = []
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed))
        match rng.choice(["delete", "repeat", "move", "byte", "cut line"]):
            case "delete":
                del changed[at]
                names.append(f"line {at + 1} deleted")
            case "repeat":
                changed.insert(rng.randrange(len(changed)), changed[at])
                names.append(f"line {at + 1} repeated")
            case "move":
                changed.insert(rng.randrange(len(changed)), changed.pop(at))
                names.append(f"line {at + 1} moved")
            case "byte":
                place = rng.randrange(len(changed[at]))
                changed[at] = changed[at][:place] + chr(rng.randrange(1, 127)) + changed[at][place + 1 :]
                names.append(f"byte {place} of line {at + 1} changed")
            case _:
                changed[at] = changed[at][: rng.randrange(len(changed[at]))] + "\n"
                names.append(f"line {at + 1} cut")
    return Damage(name=", ".join(names), text="".join(changed).encode(), line=None)
