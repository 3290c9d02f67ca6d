"""Tests of the place that an error names if several places of a scenario have the same value, or could cause it."""

import pytest

from tests.scenarios import BASE, edited, error_of


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (edited("  batch_size: 32\n", "") + "  batch_size: [16, 719]\n", "s.yaml:11:"),
        (edited("[ddp, liec]", "[ddp, {name: liec, task: {batch_size: 719}}]"), "s.yaml:9:"),
        (edited("[ddp, liec]", "[{name: neolithic, rounds: 3, accumulate: true}]").replace("32", "240"), "s.yaml:5:"),
    ],
    ids=["in the matrix", "of an algorithm", "of several minibatches"],
)
def test_a_batch_that_is_too_large_is_placed_at_its_value(text: str, prefix: str) -> None:
    actual = error_of(text)

    assert prefix == actual[: len(prefix)]


TWO_LIECS = "[{name: liec, average_period: 8, task: {batch_size: 719}}, {name: liec, task: {batch_size: 719}}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            edited("[ddp, liec]", TWO_LIECS),
            "s.yaml: 2 mistakes\ns.yaml:9:66: matrix.algorithm[0].task.batch_size: ",
        ),
        (
            edited("[ddp, liec]", TWO_LIECS) + "exclude: [{algorithm: {name: liec, average_period: 8}}]\n",
            "s.yaml:9:105: matrix.algorithm[1].task.batch_size: ",
        ),
        (
            edited("[ddp, liec]", "{name: liec, task: {batch_size: 719}}") + "  batch_size: [719]\n",
            "s.yaml:9:46: matrix.algorithm.task.batch_size: ",
        ),
        (
            edited("[ddp, liec]", "[{name: liec, task: {batch_size: 719}}, ddp]").replace("32", "719")
            + "exclude: [{algorithm: liec}]\n",
            "s.yaml:5:15: task.batch_size: ",
        ),
        (BASE + "include: [{seed: 1}, {batch_size: 719}]\n", "s.yaml:12:35: include[1].batch_size: "),
        (
            BASE + "include: [{algorithm: {name: liec, task: {batch_size: 719}}, batch_size: 719}]\n",
            "s.yaml:12:55: include[0].algorithm.task.batch_size: ",
        ),
        (
            edited("[ddp, liec]", "[ddp]").replace("[sign]", "[qsgd, sign]") + "include: [{algorithm: memsgd}]\n",
            "s.yaml:10:16: matrix.compressor[0]: ",
        ),
        (
            edited("[sign]", "[qsgd, sign, qsgd]")
            + "exclude: [{compressor: qsgd}]\ninclude: [{compressor: qsgd, seed: 1, "
            "algorithm: liec}]\n",
            "s.yaml:13:24: include[0].compressor: ",
        ),
        (
            BASE + "  link: [{rate: 1mbit, workers: {1: 5mbit}}, {rate: 1mbit, workers: {2: 5mbit}}]\n",
            "s.yaml:12:46: matrix.link[1]: ",
        ),
    ],
    ids=[
        "first of two algorithms",
        "second, where the first is excluded",
        "algorithm before axis",
        "task, where an algorithm says the same",
        "included axis",
        "included algorithm's own task",
        "axis that an included cell takes over",
        "included, where the matrix says the same",
        "second of two links",
    ],
)
def test_a_mistake_is_placed_at_its_own_value_even_if_others_are_equal(text: str, expected: str) -> None:
    assert error_of(text)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "assignment", "key"),
    [
        (
            edited("[ddp, liec]", "[{name: liec, task: {batch_size: 32}}, ddp]"),
            "task.batch_size=719",
            "task.batch_size",
        ),
        (edited("32", "719"), "matrix.batch_size=719", "matrix.batch_size"),
        (edited("32", "719"), "matrix.batch_size=[719]", "matrix.batch_size"),
        (BASE, "matrix.link={rate: 1mbit, workers: {2: 1gbit}}", "matrix.link"),
        (BASE, "include=[{batch_size: 719}]", "include[0].batch_size"),
        (BASE, "matrix.compressor=[qsgd]", "matrix.compressor"),
    ],
)
def test_a_mistake_in_an_override_is_placed_there_even_if_the_file_says_the_same(
    text: str, assignment: str, key: str
) -> None:
    expected = f"--set {assignment}: {key}"

    assert error_of(text, assignment)[: len(expected)] == expected
