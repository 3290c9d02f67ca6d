"""Tests that a scenario's mistakes are reported together, each with its place, and none that follows from another."""

import pytest

from tests.config.counted_loads import LOADS
from tests.scenarios import BASE, edited, error_of

SIX = """\
nmae: example
task:
  dataset: digit
  model: {name: mlp, widht: 8, layers: none}
  batch_size: thirty
  epochs: 2
  learning_rate: 0.1
  schedule: {milestone: [80]}
matrix:
  algorithm: [ddp, liec]
  compressor: [sign]
  workers: [2]
"""


def places(message: str) -> list[str]:
    """Return the place and the path of each mistake in a message about several."""
    return [": ".join(line.split(": ")[:2]) for line in message.splitlines()[1:]]


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    assert error_of(SIX).splitlines() == [
        "s.yaml: 6 mistakes",
        "s.yaml:1:1: nmae: there is no key 'nmae' here (did you mean name?)",
        "s.yaml:3:12: task.dataset.name: there is no dataset 'digit' (did you mean digits?)",
        "s.yaml:4:22: task.model.widht: mlp has no option 'widht' (did you mean width?)",
        "s.yaml:4:32: task.model.layers: 'none' should be a whole number (`liecbench list models` shows the options)",
        "s.yaml:5:15: task.batch_size: 'thirty' should be a whole number",
        "s.yaml:8:14: task.schedule.milestone: there is no key 'milestone' here (did you mean milestones?)",
    ]


def test_names_and_options_are_checked_everywhere_also_if_a_value_is_wrong() -> None:
    text = edited("[ddp, liec]", "[{name: psgd, epochs: 1, task: {epoch: 2, model: mpl}}, 5]") + (
        "exclude: [{compressor: sing}]\ninclude: [{dataset: digit}, 3]\n"
    )

    assert places(error_of(text)) == [
        "s.yaml:9:28: matrix.algorithm[0].epochs",
        "s.yaml:9:46: matrix.algorithm[0].task.epoch",
        "s.yaml:9:63: matrix.algorithm[0].task.model.name",
        "s.yaml:9:70: matrix.algorithm[1]",
        "s.yaml:12:24: exclude[0].compressor.name",
        "s.yaml:13:21: include[0].dataset.name",
        "s.yaml:13:29: include[1]",
    ]


def test_of_more_than_ten_mistakes_the_others_are_counted() -> None:
    values = ", ".join(["0"] * 13)
    lines = error_of(edited("workers: [2]", f"workers: [{values}]")).splitlines()

    assert (lines[0], len(lines), lines[-1]) == ("s.yaml: 13 mistakes", 12, "and 3 more")
    assert lines[10].startswith("s.yaml:11:40: matrix.workers[9]: ")


def test_a_long_mistake_does_not_cut_the_others() -> None:
    names = [f"{'x' * 280}{number}" for number in range(10)]
    lines = error_of(edited("[sign]", f"[{', '.join(names)}]")).splitlines()

    assert [name in line for name, line in zip(names, lines[1:], strict=True)] == [True] * 10


def test_missing_keys_are_all_named() -> None:
    text = edited("  batch_size: 32\n  epochs: 2\n", "").replace("[ddp, liec]", "[ddp]")

    assert places(error_of(text)) == ["s.yaml:3:3: task.batch_size", "s.yaml:3:3: task.epochs"]
    assert places(error_of(edited("  algorithm: [ddp, liec]\n", "").replace("  workers: [2]\n", ""))) == [
        "s.yaml:9:3: matrix.workers",
        "s.yaml:9:3: matrix.algorithm",
    ]


def test_values_that_do_not_fit_together_are_reported_together() -> None:
    text = (
        edited("[ddp, liec]", "[ddp, liec, cser]").replace("[sign]", "[qsgd]")
        + "  link: [{rate: 1mbit, workers: {5: 5mbit}}]\n"
        + "exclude: [{workers: 7}, {workers: 9}]\nbaseline: {algorithm: ddp, workers: 4, lnik: none}\n"
    )

    assert places(error_of(text)) == [
        "s.yaml:10:16: matrix.compressor[0]",
        "s.yaml:12:10: matrix.link[0]",
        "s.yaml:13:11: exclude[0]",
        "s.yaml:13:25: exclude[1]",
        "s.yaml:14:37: baseline.workers",
        "s.yaml:14:40: baseline.lnik",
    ]


def test_of_contradictions_between_settings_the_first_is_reported() -> None:
    """With backend: gloo, as the message advises, the process can pace, too."""
    assert error_of(f"{BASE}backend: nccl\nenforcement: process\n").startswith("s.yaml:12:10: backend: nccl moves")


def test_all_fields_that_do_not_suit_a_profile_are_one_mistake() -> None:
    text = edited("  dataset: digits\n", "  profile: h100-resnet18\n  dataset: digits\n").replace(
        "[ddp, liec]", "[ddp]"
    )

    assert error_of(text) == (
        "s.yaml:4:3: task.dataset: a task with a profile is only timed, and trains nothing; remove dataset, model, "
        "batch_size, epochs, learning_rate, or remove profile"
    )


def test_a_batch_that_is_too_large_is_one_mistake_for_all_numbers_of_workers() -> None:
    text = edited("workers: [2]", "workers: [2, 3, 4]").replace("32", "719") + "  seed: [0, 1]\n"

    assert error_of(text).startswith("s.yaml:5:15: task.batch_size: 2 workers × batch 719 = 1438 samples per step, ")
    assert "\n" not in error_of(text)


def test_data_that_cannot_be_loaded_are_tried_once() -> None:
    LOADS.clear()
    text = edited("digits", "tests.config.counted_loads:broken").replace("[2]", "[1, 2, 3]")

    assert error_of(text) == (
        "s.yaml:3:12: task.dataset: tests.config.counted_loads:broken cannot be loaded: OSError: the disk is gone"
    )
    assert LOADS == ["broken"]


def test_a_mistake_that_aliases_repeat_is_reported_once() -> None:
    text = edited("task:", "task: &t").replace("digits", "digitz").replace("mlp", "mpl")
    text = text.replace("[ddp, liec]", "[{name: ddp, task: *t}, &l {name: liec, avrage_period: 3}, *l, *l]")

    assert places(error_of(f"{text}include: [*t]\n")) == [
        "s.yaml:3:12: task.dataset.name",
        "s.yaml:4:10: task.model.name",
        "s.yaml:9:54: matrix.algorithm[1].avrage_period",
    ]


def test_mistakes_at_one_place_are_told_apart() -> None:
    """Keys that a mapping lacks are all reported at the mapping, and all values of a --set at the option."""
    option = "task={dataset: digits, model: mlp, learning_rate: 1, batch_size: 0, epochs: 0}"

    assert [line.partition("}: ")[2] for line in error_of(BASE, option).splitlines()[1:]] == [
        "task.batch_size: 0 should be at least 1",
        "task.epochs: 0 should be at least 1",
    ]


@pytest.mark.parametrize(
    ("text", "heading"),
    [(BASE, "--set: 2 mistakes"), (edited("epochs: 2", "epochs: 0"), "s.yaml: 3 mistakes")],
    ids=["all in options", "some in the file"],
)
def test_the_heading_names_where_the_mistakes_are(text: str, heading: str) -> None:
    assert error_of(text, "task.batch_size=0", "matrix.workers=[0]").splitlines()[0] == heading


def test_missing_keys_are_reported_with_all_else_that_is_wrong_by_itself() -> None:
    text = edited("  epochs: 2\n", "").replace("  workers: [2]\n", "").replace("mlp", "mpl")

    assert places(error_of(f"{text}servr: root\n")) == [
        "s.yaml:3:3: task.epochs",
        "s.yaml:4:10: task.model.name",
        "s.yaml:8:3: matrix.workers",
        "s.yaml:10:1: servr",
    ]


def test_settings_cells_and_optimizers_are_checked_together() -> None:
    text = (
        edited("[ddp, liec]", "[ddp, cser, liec]")
        .replace("  compressor: [sign]\n", "")
        .replace("  epochs: 2", "  epochs: 2\n  optimizer: adamw\n  momentum: 0.9\n  clip_grad_norm: 1.0")
    )

    # cser and liec are not tried with the optimizer, because they lack their compressor.
    assert places(error_of(f"{text}backend: nccl\nbaseline: foo\nexclude: [{{workers: 5}}]\n")) == [
        "s.yaml:8:13: task.momentum",
        "s.yaml:12:3: matrix.compressor",
        "s.yaml:14:10: backend",
        "s.yaml:15:11: baseline",
        "s.yaml:16:11: exclude[0]",
    ]


def test_a_matrix_that_is_too_large_is_reported_with_a_contradiction() -> None:
    values = ", ".join(map(str, range(1, 400)))
    text = edited("workers: [2]", f"workers: [{values}]\n  seed: [{values}]")

    assert places(error_of(f"{text}backend: nccl\nbaseline: foo\n")) == ["s.yaml:8:1: matrix", "s.yaml:13:10: backend"]


def test_the_target_is_checked_with_the_data() -> None:
    text = edited("batch_size: 32", "batch_size: 3200")

    assert places(error_of(f"{text}target_loss: 2.0\n")) == ["s.yaml:5:15: task.batch_size", "s.yaml:12:1: target_loss"]


@pytest.mark.parametrize("workers", ["[2, 400]", "[400, 2]"])
def test_a_mistake_at_the_dataset_hides_none_of_other_cells(workers: str) -> None:
    """400 workers are too many for the samples; the run of 2 workers is shorter than 99999 steps."""
    text = edited("[ddp, liec]", "[ddp, {name: onebit_adam, freeze_step: 99999}]").replace("[2]", workers)

    assert places(error_of(text)) == [
        "s.yaml:3:12: task.dataset",
        "s.yaml:5:15: task.batch_size",
        "s.yaml:9:53: matrix.algorithm[1].freeze_step",
    ]


def test_different_data_that_are_too_few_are_all_named() -> None:
    text = edited("  dataset: digits\n", "").replace("batch_size: 32", "batch_size: 3200")
    text += "  dataset: [digits, {name: synthetic, train_samples: 100, test_samples: 50}]\n"

    lines = error_of(text).splitlines()
    assert [line.rpartition(" samples per step, and ")[2] for line in lines] == [
        "s.yaml: 2 mistakes",
        "digits has 1437 to train on; lower batch_size or workers",
        "synthetic has 100 to train on; lower batch_size or workers",
    ]
