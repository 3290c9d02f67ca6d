import pytest

from liecbench.errors import LiecbenchError, ScenarioError, did_you_mean


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leic", "did you mean liec?"),
        ("dpd", "did you mean ddp?"),
        (3, "valid: ddp, liec"),
        ("xyz", "valid: ddp, liec"),
    ],
)
def test_nearest_names_one_or_lists_all(name: object, expected: str) -> None:
    actual = did_you_mean(name, ["liec", "ddp"])

    assert expected == actual


def test_each_of_several_mistakes_is_on_a_line() -> None:
    two = ScenarioError.together("b", [ScenarioError("b: x"), ScenarioError("b: y")])
    joined = ScenarioError.together("a", [ScenarioError("a: it failed:\n  no\tfile"), two])

    assert str(joined).splitlines() == ["a: 3 mistakes", "a: it failed: no file", "b: x", "b: y"]


def test_one_mistake_stays_as_it_is() -> None:
    error = LiecbenchError("two\nlines")

    assert LiecbenchError.together("a", [error]) is error
