from pathlib import Path

import pytest

from liecbench.prediction.option_differences import option_differences
from liecbench.prediction.prediction_inputs import methods_of
from liecbench.prediction.requested_methods import requested_methods
from tests.scenarios import edited, scenario

ACCUMULATING = "[ddp, {name: memsgd, task: {accumulate: 2}}]"
PERIODS = "[ddp, {name: liec, average_period: 4}, {name: liec, average_period: 8}]"


@pytest.mark.parametrize(
    ("own", "algorithms", "compressors", "lines"),
    [
        (
            ACCUMULATING,
            ["memsgd"],
            (),
            ["memsgd(sign) accumulate 1 is predicted; 'my net.yaml' has memsgd(sign) accumulate 2"],
        ),
        (ACCUMULATING, ["psgd", "liec"], (), []),
        (ACCUMULATING, [], (), []),
        (PERIODS, ["liec:average_period=8"], (), []),
        (
            PERIODS,
            ["liec"],
            (),
            [
                "liec(sign) average period 32 is predicted; "
                "'my net.yaml' has liec(sign) average period 4, liec(sign) average period 8"
            ],
        ),
        (PERIODS, ["liec:average_period=8"], ["top_k"], []),
        (
            ACCUMULATING,
            ["memsgd"],
            ["top_k"],
            ["memsgd accumulate 1 is predicted; 'my net.yaml' has memsgd accumulate 2"],
        ),
    ],
)
def test_methods_with_other_options_than_the_scenarios_are_named(
    own: str, algorithms: list[str], compressors: list[str], lines: list[str]
) -> None:
    of_scenario = scenario(edited("[ddp, liec]", own) + "server: root\n")
    methods = requested_methods(of_scenario, algorithms, compressors)
    differences = option_differences(
        methods, methods_of(of_scenario.cells()), Path("my net.yaml"), with_compressor=not compressors
    )

    assert list(differences) == lines


def test_the_usual_compressor_in_place_of_the_scenarios_is_named() -> None:
    of_scenario = scenario(edited("[sign]", "[top_k]") + "server: root\n")
    own = methods_of(of_scenario.cells())

    (line,) = option_differences(requested_methods(of_scenario, ["liec"]), own, Path("a.yaml"), with_compressor=True)
    assert line == "liec(sign) is predicted; a.yaml has liec(top_k)"
