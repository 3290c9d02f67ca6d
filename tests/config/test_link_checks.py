import pytest

from tests.scenarios import edited, error_of


@pytest.mark.parametrize(
    ("old", "new", "prefix", "remedy"),
    [
        (
            "workers: [2]",
            "workers: [2]\n  link: [20mbit, {rate: 1mbit, workers: {2: 5mbit}}]",
            "s.yaml:12:18: matrix.link[1]: ",
            "there is no worker 2 among 2; they count from 0",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: 20mbit\nenforcement: process",
            "s.yaml:13:14: enforcement: ",
            "process cannot pace ddp: its collectives are torch's own",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: {rate: 20mbit, delay: 5ms, loss: 1%}\nenforcement: process",
            "s.yaml:12:9: matrix.link",
            "processes pace rates only, not delay, jitter and loss",
        ),
    ],
)
def test_mistakes_have_their_place_and_remedy(old: str, new: str, prefix: str, remedy: str) -> None:
    actual = error_of(edited(old, new))

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)
