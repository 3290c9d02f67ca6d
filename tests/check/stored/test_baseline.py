import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from liecbench import __version__
from liecbench.check.stored.baseline import Baseline, left_out
from liecbench.errors import LiecbenchError, NothingToCompareError
from tests.check.stored_results import ENVIRONMENT, cell, traffic

CELLS = [cell(seed=10), cell(seed=2), cell(algorithm="liec", compressor={"name": "sign"}, server="root")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("written") / "baseline.json"
    Baseline.of(CELLS).write(path)
    return path.read_bytes()


def error_of(path: Path) -> tuple[int, str]:
    with pytest.raises(LiecbenchError) as raised:
        Baseline.read(path)
    return int(raised.value.exit_code), str(raised.value).removeprefix(f"{path}")


def sealed(document: dict[str, Any]) -> str:
    """Return the document with a valid checksum, as a deliberate forger would write it."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    sha256 = hashlib.sha256(json.dumps(rest, indent=1).encode()).hexdigest()
    return json.dumps({**document, "sha256": sha256}, indent=1)


def test_a_written_baseline_is_read_back(tmp_path: Path) -> None:
    baseline = Baseline.of(CELLS)
    baseline.write(tmp_path / "baseline.json")

    assert baseline == Baseline.read(tmp_path / "baseline.json")


def test_the_file_begins_with_type_schema_and_version(written: bytes) -> None:
    document = json.loads(written)
    head = list(document.items())[:3]

    assert [("type", "liecbench-baseline"), ("schema", 1), ("liecbench", __version__)] == head


def test_a_cell_has_the_fields_that_checks_need(written: bytes) -> None:
    entry = json.loads(written)["cells"][0]

    assert (entry["environment"], entry["epochs"][1]) == (
        {**ENVIRONMENT, "link": {name: value for name, value in ENVIRONMENT["link"].items() if value is not None}},
        {
            "epoch": 2,
            "steps": 22,
            "timed_steps": 22,
            "payload_bytes": traffic(2_200_000),
            "messages": [22, 22],
            "wire_bytes": traffic(2_530_000),
            "compression_error": 0.5,
            "residual_norm": 2.0,
            "train_loss": 1.0,
            "test_loss": 0.75,
            "test_accuracy": 0.9,
            "train_seconds": 1.0,
            "exposed_seconds": 0.5,
            "communicate_seconds": 0.25,
            "least_communicate_seconds": 1.1,
            "other_cpu_share": None,
        },
    )


def test_the_checksum_is_that_of_the_other_fields(written: bytes) -> None:
    assert sealed(json.loads(written)).encode() == json.dumps(json.loads(written), indent=1).encode()


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_results_does_not_matter(shuffle: random.Random) -> None:
    cells = shuffle.sample(CELLS, len(CELLS))

    assert Baseline.of(CELLS) == Baseline.of(cells)


def test_cells_are_sorted_by_seed() -> None:
    entries = [(entry.spec["algorithm"]["name"], entry.seed) for entry in Baseline.of(CELLS).cells]

    assert entries == [("ddp", 2), ("ddp", 10), ("liec", 0)]


def test_a_baseline_replaces_an_earlier_one(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "baseline.json"
    path.write_text("an earlier one")
    Baseline.of(CELLS).write(path)

    assert ([path], written) == (list(tmp_path.iterdir()), path.read_bytes())


@pytest.mark.parametrize("name", ["", "missing/baseline.json"], ids=["a directory", "in no directory"])
def test_a_failed_write_leaves_no_file(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "here"
    directory.mkdir()
    with pytest.raises(LiecbenchError) as raised:
        Baseline.of(CELLS).write(directory / name)

    assert (2, [directory]) == (int(raised.value.exit_code), list(tmp_path.iterdir()))


def test_only_completed_cells_are_stored_and_the_others_are_named() -> None:
    cells = [cell(), cell(seed=1, status="failed"), cell(seed=2, status="unfinished"), cell(seed=3, status="diverged")]
    named = [
        f"ddp · 2 workers · 20mbit · seed {seed}: {s}" for seed, s in enumerate(["failed", "unfinished", "diverged"], 1)
    ]

    assert ([0], named) == ([entry.seed for entry in Baseline.of(cells).cells], left_out(cells))


def test_no_completed_cell_is_an_error() -> None:
    with pytest.raises(NothingToCompareError) as raised:
        Baseline.of([cell(status="unfinished")])

    assert (raised.value.exit_code, str(raised.value)) == (4, "no cell has completed; let `liecbench run` finish one")


def test_a_record_out_of_bounds_is_named() -> None:
    with pytest.raises(LiecbenchError) as raised:
        Baseline.of([cell(changes={"train_loss": float("nan")})])

    assert str(raised.value).startswith("cell cell0: its records are invalid: train_loss: should be ")


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    remedy = ": there is no such baseline; write one with `liecbench baseline RESULTS -o FILE`"

    assert (4, remedy) == error_of(tmp_path / "none.json")


def test_line_ends_may_change(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(written.replace(b"\n", b"\r\n"))

    assert Baseline.of(CELLS) == Baseline.read(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: b"", "it is empty"),
        (lambda _: b" \n", "it is empty"),
        (lambda _: b"\xff", "not UTF-8 text"),
        (lambda _: b"{", ":1:2: not JSON"),
        (lambda _: b"[]", "it is no baseline"),
        (lambda _: b"[" * 200_000, ": "),
        (lambda _: b"9" * 5000, ": "),
        (lambda text: text.replace(b'"schema": 1', b'"schema": 2'), "another schema"),
        (lambda text: text.replace(b"liecbench-baseline", b"liecbench-check"), "it is no baseline"),
        (lambda text: text.replace(b'"residual_norm": 2.0', b'"residual_norm": NaN'), ": "),
        (lambda text: text.replace(b'"residual_norm": 2.0', b'"residual_norm": 2.00'), "it was edited"),
        (lambda text: text.replace(b'"residual_norm": 2.0', b'"residual_norm": 3.0'), "it was edited"),
        (lambda text: text.replace(b'"residual_norm": 2.0', b'"residual_norm": 1e999'), ": "),
        (lambda text: text.replace(b'"steps": 22', b'"steps": 22, "steps": 22'), "it was edited"),
        (lambda text: text.replace(b'"sha256"', b'"sum"'), "it was edited"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, written: bytes, change: Callable[[bytes], bytes], expected: str
) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(change(written))
    code, message = error_of(path)

    assert (code, expected in message) == (2, True)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert error_of(tmp_path) == (2, ": Is a directory; give the file that `liecbench baseline RESULTS -o FILE` wrote")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("cells",), []),
        (("cells",), None),
        (("liecbench",), 1),
        (("more",), 1),
        (("cells", 0, "spec"), {}),
        (("cells", 0, "spec", "workers"), 10**30),
        (("cells", 0, "spec", "task", "batch_size"), 0),
        (("cells", 0, "epochs"), []),
        (("cells", 0, "epochs", 0, "steps"), 0),
        (("cells", 0, "epochs", 0, "steps"), True),
        (("cells", 0, "epochs", 0, "train_loss"), 1e300),
        (("cells", 0, "epochs", 0, "train_loss"), "1.0"),
        (("cells", 0, "epochs", 0, "messages"), [-1, 22]),
        (("cells", 0, "epochs", 0, "payload_bytes", "sent"), [10**30]),
        (("cells", 0, "epochs", 0, "wire_bytes"), {"sent": [1]}),
        (("cells", 0, "environment", "torch"), 2),
    ],
)
def test_an_invalid_field_is_refused_even_with_a_valid_checksum(
    tmp_path: Path, written: bytes, place: tuple[Any, ...], value: object
) -> None:
    path, document = tmp_path / "baseline.json", json.loads(written)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(sealed(document))
    code, message = error_of(path)

    assert (code, message[:39]) == (2, ": not a baseline that liecbench wrote: ")


@given(st.data())
def test_a_change_of_any_byte_is_refused(
    tmp_path_factory: pytest.TempPathFactory, written: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.json"
    # The last line's end is not part of the document.
    place = data.draw(st.integers(0, len(written) - 2))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != written[place]))
    change = data.draw(st.sampled_from(["change", "delete", "truncate", "insert"]))
    after = {"change": bytes([other]), "delete": b"", "truncate": b"", "insert": bytes([other, written[place]])}[change]
    changed = written[:place] + after + (b"" if change == "truncate" else written[place + 1 :])
    path.write_bytes(changed)

    # Git may add a carriage return to each line's end.
    assume(changed.replace(b"\r\n", b"\n") != written)

    assert error_of(path)[0] == 2


def test_the_same_results_give_the_same_bytes(tmp_path: Path, written: bytes) -> None:
    Baseline.of(list(reversed(CELLS))).write(tmp_path / "again.json")

    assert written == (tmp_path / "again.json").read_bytes()
