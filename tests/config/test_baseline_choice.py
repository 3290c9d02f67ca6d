import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.errors import LiecbenchError
from tests.ledgers import spec
from tests.scenarios import edited, scenario


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


@pytest.mark.parametrize("link", ["100Mbps", "0.1 gbit", "100mbit"])
def test_a_link_is_the_same_however_it_is_written(link: str) -> None:
    choice = BaselineChoice.parse({"algorithm": "liec", "link": link})

    assert choice.matches(spec("liec", link="100mbit"))
    assert not choice.matches(spec("liec", link="10mbit"))
    assert choice.as_json() == {"algorithm": "liec", "link": link}


def test_a_size_is_the_same_however_it_is_written() -> None:
    choice = BaselineChoice.parse({"algorithm": "liec", "block_bytes": "1MiB"})

    assert choice.matches(spec("liec", block_bytes=2**20))
    assert not choice.matches(spec("liec", block_bytes=10**6))


def test_a_value_that_cannot_be_parsed_matches_nothing() -> None:
    assert not BaselineChoice.parse({"algorithm": "liec", "link": "fast"}).matches(spec("liec", link="100mbit"))


def test_fields_without_an_algorithm_are_refused() -> None:
    with pytest.raises(LiecbenchError, match="no algorithm"):
        BaselineChoice.parse({"workers": 2})


def test_an_option_may_be_true_or_false() -> None:
    text = edited("[ddp, liec]", "[{name: psgd, per_tensor: true}, psgd]")
    loaded = scenario(text + "baseline: {algorithm: psgd, per_tensor: true}\n")

    assert [loaded.baseline_choice.matches(cell.spec()) for cell in loaded.cells()] == [True, False]


@pytest.mark.parametrize(
    ("fixed", "text"),
    [
        ({}, "psgd"),
        ({"per_tensor": True}, "psgd per_tensor"),
        ({"per_tensor": True, "workers": 2}, "psgd per_tensor with workers 2"),
        ({"per_tensor": False}, "psgd with no per_tensor"),
    ],
)
def test_the_baselines_name_has_its_fields(fixed: dict[str, object], text: str) -> None:
    assert BaselineChoice.parse({"algorithm": "psgd", **fixed}).text == text
