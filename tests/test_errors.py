import pytest

from liecbench.errors import did_you_mean


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
