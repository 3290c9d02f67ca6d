from pathlib import Path

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.errors import LiecbenchError
from liecbench.results.comparison_settings import ComparisonSettings, comparison_settings
from liecbench.results.tolerances import Tolerances


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ComparisonSettings()),
        ("baseline: psgd\n", ComparisonSettings(baseline=BaselineChoice(algorithm="psgd"))),
        ("baseline: ddp\ntarget_accuracy: 0.75\n", ComparisonSettings(target_accuracy=0.75)),
        (
            "baseline: {algorithm: liec, workers: 2}\ntarget_loss: 2\naccuracy_tolerance: 0.01\nloss_tolerance: 0.1\n",
            ComparisonSettings(
                baseline=BaselineChoice(algorithm="liec", fixed={"workers": 2}),
                target_loss=2.0,
                tolerances=Tolerances(accuracy=0.01, loss=0.1),
            ),
        ),
    ],
)
def test_settings_come_from_the_scenario(tmp_path: Path, text: str | None, expected: ComparisonSettings) -> None:
    if text is not None:
        (tmp_path / "scenario.yaml").write_text(text)

    assert expected == comparison_settings(tmp_path)


def test_each_setting_that_differs_is_named_with_both_values() -> None:
    fixed = BaselineChoice(algorithm="liec", fixed={"workers": 2, "seed": 0})
    same = BaselineChoice(algorithm="liec", fixed={"seed": 0, "workers": 2})
    used = ComparisonSettings(baseline=fixed, target_accuracy=0.75)
    own = ComparisonSettings(target_loss=2.0, tolerances=Tolerances(accuracy=0.01, loss=0.1))

    assert ComparisonSettings(baseline=same, target_accuracy=0.75).differences(used) == []
    assert own.differences(used) == [
        "baseline ddp instead of liec with workers 2, seed 0",
        "target_accuracy none instead of 0.75",
        "target_loss 2 instead of none",
        "accuracy_tolerance 0.01 instead of 0.005",
        "loss_tolerance 0.1 instead of 0.02",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "- [", "name: a\n", "3\n"),
        *("baseline: ddp\naccuracy_tolerance: -.inf\n", "baseline: ddp\naccuracy_tolerance: .nan\n"),
        *("baseline: ddp\nloss_tolerance: .inf\n", "baseline: ddp\nloss_tolerance: -1\n"),
        *("baseline: ddp\ntarget_accuracy: 9\n", "baseline: ddp\ntarget_loss: .nan\n"),
    ],
)
def test_a_damaged_scenario_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(LiecbenchError) as raised:
        comparison_settings(tmp_path)

    assert str(path) == str(raised.value)[: len(str(path))]
