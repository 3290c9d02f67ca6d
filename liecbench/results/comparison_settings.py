"""The options of a comparison, such as the baseline, read from the ``scenario.yaml`` of a results directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.errors import LiecbenchError
from liecbench.results.directory import SCENARIO_NAME
from liecbench.results.ranges import LARGEST
from liecbench.results.tolerances import DEFAULT_TOLERANCES, Tolerances
from liecbench.untrusted import regular_files

DEFAULT_BASELINE: Final = "ddp"
_DEFAULT_CHOICE: Final = BaselineChoice(algorithm=DEFAULT_BASELINE)
_MOST_SCENARIO_BYTES: Final = 2**22
_MALFORMED: Final = (ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """The settings with which a scenario's cells are compared: baseline, target and tolerances.

    Attributes:
        baseline: The choice of the cells that are the baseline; by default, the cells of ``ddp``.
        target_accuracy: The test accuracy to reach, from 0 to 1; None if no accuracy is to be reached.
        target_loss: The test loss that language models are to reach; None if no test loss is to be reached.
        tolerances: The tolerated drop of accuracy and the tolerated rise of test loss, both compared with the baseline.
    """

    baseline: BaselineChoice = _DEFAULT_CHOICE
    target_accuracy: float | None = None
    target_loss: float | None = None
    tolerances: Tolerances = DEFAULT_TOLERANCES

    def differences(self, used: Self) -> list[str]:
        """Return the settings that differ from those in ``used``, with both values.

        An example is ``accuracy_tolerance 0.01 instead of 0.005``. A target that is not set is ``none``.
        """
        pairs = {
            "baseline": (self.baseline, used.baseline),
            "target_accuracy": (self.target_accuracy, used.target_accuracy),
            "target_loss": (self.target_loss, used.target_loss),
            "accuracy_tolerance": (self.tolerances.accuracy, used.tolerances.accuracy),
            "loss_tolerance": (self.tolerances.loss, used.tolerances.loss),
        }
        return [
            f"{name} {_text(own)} instead of {_text(other)}" for name, (own, other) in pairs.items() if own != other
        ]

    @classmethod
    def of(cls, scenario: Mapping[str, Any]) -> Self:
        """Return the settings in a stored scenario's fields. Missing settings have their defaults.

        Raises LookupError if the fields are not those of a scenario.
        """
        if not {"baseline", "matrix"} & scenario.keys():
            raise LookupError("a scenario has a matrix")
        usual = DEFAULT_TOLERANCES
        accuracy, loss = scenario.get("target_accuracy"), scenario.get("target_loss")
        return cls(
            baseline=BaselineChoice.parse(scenario["baseline"]) if "baseline" in scenario else _DEFAULT_CHOICE,
            target_accuracy=None if accuracy is None else _from_zero_to(1, accuracy),
            target_loss=None if loss is None else _from_zero_to(LARGEST, loss),
            tolerances=Tolerances(
                accuracy=_from_zero_to(1, scenario.get("accuracy_tolerance", usual.accuracy)),
                loss=_from_zero_to(LARGEST, scenario.get("loss_tolerance", usual.loss)),
            ),
        )


def _text(value: BaselineChoice | float | None) -> str:
    if value is None:
        return "none"
    return value.text if isinstance(value, BaselineChoice) else f"{value:.12g}"


def _from_zero_to(most: float, value: Any) -> float:
    """Return ``value`` as a float; raise ValueError if it is not a number from 0 to ``most``."""
    number = float(value)
    if not 0 <= number <= most:
        raise ValueError(f"{value} is not from 0 to {most:g}")
    return number


def comparison_settings(directory: Path) -> ComparisonSettings:
    """Return the comparison settings in a results directory's ``scenario.yaml``; the defaults if there is no such file.

    Raises:
        LiecbenchError: If the file is not a scenario that `liecbench run` wrote.
    """
    path = directory / SCENARIO_NAME
    if not path.exists():
        return ComparisonSettings()
    try:
        scenario = yaml.safe_load(regular_files.read_text(path, _MOST_SCENARIO_BYTES))
        return ComparisonSettings.of(scenario)
    except (LiecbenchError, OSError, *_MALFORMED):
        message = f"{path}: not the scenario that `run` wrote"
        raise LiecbenchError(message, "remove it to compare with the defaults, or run the scenario again") from None
