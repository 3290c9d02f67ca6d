import pytest

from liecbench.worker.session_groups import groups


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (5, ["abcde"]),
        (9, ["abcde"]),
        (3, ["abc", "ade"]),
        (2, ["ab", "ac", "ad", "ae"]),
        (4, ["abcd", "ae"]),
    ],
)
def test_every_group_has_the_first_contestant(capacity: int, expected: list[str]) -> None:
    assert ["".join(group) for group in groups("abcde", capacity)] == expected
