import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.errors import LiecbenchError
from tests.ledgers import spec


def test_a_name_matches_every_cell_of_the_algorithm() -> None:
    choice = BaselineChoice.parse("liec")

    assert [
        choice.matches(spec(name, workers=workers)) for name, workers in (("liec", 2), ("liec", 4), ("ddp", 2))
    ] == [
        True,
        True,
        False,
    ]
    assert (choice.text, choice.as_json()) == ("liec", "liec")


def test_fields_must_be_equal() -> None:
    choice = BaselineChoice.parse({"algorithm": "liec", "workers": 2, "learning_rate": 0.1})

    assert choice.matches(spec("liec", workers=2))
    assert not choice.matches(spec("liec", workers=4))
    assert not choice.matches(spec("liec", workers=2, task={"learning_rate": 0.2}))
    assert choice.text == "liec with workers 2, learning rate 0.1"
    assert choice.as_json() == {"algorithm": "liec", "workers": 2, "learning_rate": 0.1}


def test_fields_without_an_algorithm_are_refused() -> None:
    with pytest.raises(LiecbenchError, match="no algorithm"):
        BaselineChoice.parse({"workers": 2})
