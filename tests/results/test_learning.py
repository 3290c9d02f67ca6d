import dataclasses
from typing import Any

import pytest

from liecbench.results.environment_record import Environment
from liecbench.results.learning import learned_nothing
from liecbench.results.records import Epoch, Record, Start
from tests.ledgers import rows_of, run_of


def run(algorithm: str, test_set: dict[str, float] | None, loss: float = 1.0, **fields: Any) -> list[Record]:
    begun, trained, ended = run_of(
        algorithm, [{"accuracy": fields.pop("accuracy", 0.5)}], algorithm=algorithm, **fields
    )
    assert isinstance(begun, Start)
    assert isinstance(trained, Epoch)
    environment = {} if test_set is None else {"test_set": test_set}
    return [
        dataclasses.replace(begun, environment=Environment.of(environment)),
        dataclasses.replace(trained, test_loss=loss),
        ended,
    ]


@pytest.mark.parametrize(("accuracy", "expected"), [(0.10, True), (0.13, True), (0.14, False)])
def test_a_baseline_must_beat_the_commonest_class(accuracy: float, expected: bool) -> None:
    test_set = {"labels": 360, "commonest_share": 0.103}  # two standard errors: 3.2 points
    rows = rows_of(*[run(name, test_set, accuracy=accuracy) for name in ("ddp", "psgd")])

    assert (learned_nothing(rows) is not None) is expected


@pytest.mark.parametrize(("loss", "expected"), [(3.2, True), (2.9, False)])
def test_a_language_model_must_beat_the_frequencies_of_its_tokens(loss: float, expected: bool) -> None:
    test_set = {"labels": 10000, "commonest_share": 0.2, "unigram_loss": 3.1}
    runs = [run(name, test_set, loss, task={"dataset": {"name": "text"}}) for name in ("ddp", "psgd")]

    assert (learned_nothing(rows_of(*runs)) is not None) is expected


def test_records_without_the_test_set_tell_nothing() -> None:
    assert learned_nothing(rows_of(run("ddp", None, accuracy=0.01), run("psgd", None))) is None
