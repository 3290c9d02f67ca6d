from pathlib import Path

import pytest

from liecbench.config.bundled_scenarios import scenario_path
from liecbench.config.yaml_source import parse
from liecbench.errors import ScenarioError
from liecbench.theory.theory_loader import check_theory, load_theory

VALID = """\
name: example
studies:
  - measure: stationary_gradient
    task: {name: quadratic, dimension: 16}
    steps: 100
    learning_rate: {of_bound: 1}
    matrix:
      algorithm: [psgd, liec]
      compressor: [sign]
      workers: [1, 4]
"""
# Its error is larger than the vector.
CSGD_WITH_ONE_LEVEL = "csgd]\n      compressor: [{name: qsgd, levels: 1}]"


def test_the_bundled_file_is_valid() -> None:
    assert load_theory(scenario_path("paper/theory")).name == "theory"


def test_assignments_override_keys_also_within_a_study(tmp_path: Path) -> None:
    path = tmp_path / "theory.yaml"
    path.write_text(VALID)
    loaded = load_theory(path, ["server=sharded", "studies[0].steps=30", "studies.0.matrix.workers[1]=16"])
    study = loaded.studies[0]

    assert (loaded.server, study.steps, study.matrix.workers) == ("sharded", 30, [1, 16])


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("studies[1].steps=30", "studies: the list has 1 entry, counted from 0; set studies as a whole"),
        ("studies.steps=30", "studies: a list has no key 'steps'; name an entry, as in studies[0]"),
        ("studies[0].steps=0", "studies[0].steps: 0 should be at least 20"),
    ],
)
def test_an_assignment_within_a_list_that_is_wrong_names_the_entry(
    assignment: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "theory.yaml"
    path.write_text(VALID)
    with pytest.raises(ScenarioError) as error:
        load_theory(path, [assignment])

    assert str(error.value) == f"--set {assignment}: {expected}"


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        (
            {"steps:": "step:", "[1, 4]": "[0]", "{of_bound: 1}": "fast"},
            ["studies[0].step", "studies[0].learning_rate", "studies[0].matrix.workers[0]"],
        ),
        (
            {"quadratic": "quadratics", "psgd": "psgb", "[sign]": "[sing]"},
            ["studies[0].task.name", "studies[0].matrix.algorithm[0].name", "studies[0].matrix.compressor[0].name"],
        ),
        ({"psgd": "ddp", "liec": "dgc"}, ["studies[0].matrix.algorithm[0]", "studies[0].matrix.algorithm[1]"]),
    ],
)
def test_mistakes_are_reported_together(replaced: dict[str, str], expected: list[str]) -> None:
    text = VALID
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ScenarioError) as error:
        check_theory(parse(text, "t.yaml"))
    count, *lines = str(error.value).splitlines()

    assert count == f"t.yaml: {len(expected)} mistakes"
    assert [line.split(": ")[1] for line in lines] == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("steps:", "step:", "t.yaml:5:5: studies[0].step: there is no key 'step' here (did you mean steps?)"),
        ("quadratic", "quadratics", "t.yaml:4:18: studies[0].task.name: there is no problem 'quadratics'"),
        ("dimension: 16", "dimension: 0", "t.yaml:4:29: studies[0].task.dimension: 0 should be"),
        ("dimension", "dimensions", "t.yaml:4:29: studies[0].task.dimensions: quadratic has no option 'dimensions'"),
        ("liec]", "lieq]", "t.yaml:8:25: studies[0].matrix.algorithm[1].name: there is no algorithm 'lieq'"),
        ("psgd", "ddp", "t.yaml:8:19: studies[0].matrix.algorithm[0]: ddp cannot be simulated; take one of cser, csgd"),
        ("      compressor: [sign]\n", "", "t.yaml:8:7: studies[0].matrix.compressor: liec needs a compressor"),
        ("[sign]", "[qsgd]", "t.yaml:9:20: studies[0].matrix.compressor[0]: LIEC: the method keeps an error memory"),
        ("psgd", "signsgd", "t.yaml:6:20: studies[0].learning_rate: signsgd has no δ above 0"),
        (
            "liec]\n      compressor: [sign]",
            CSGD_WITH_ONE_LEVEL,
            "t.yaml:6:20: studies[0].learning_rate: csgd with qsgd has",
        ),
        ("dimension: 16", "noise: 0", "t.yaml:4:29: studies[0].task.noise: 0 should be"),
        ("workers: [1, 4]", "workers: [0]", "t.yaml:10:17: studies[0].matrix.workers[0]: 0"),
        (
            "{of_bound: 1}",
            "{of_bound: 0}",
            "t.yaml:6:31: studies[0].learning_rate.of_bound: 0 should be above 0",
        ),
        (
            "{of_bound: 1}",
            "fast",
            "t.yaml:6:20: studies[0].learning_rate: 'fast' should be a number; write a number",
        ),
        (
            "{of_bound: 1}",
            "{of: 1}",
            "t.yaml:6:21: studies[0].learning_rate.of: there is no key 'of' here (valid: of_bound)",
        ),
        (
            "name: example",
            "name: a\nblock_order: forward",
            "t.yaml:2:1: block_order: there is no key 'block_order' here (valid: name, server, studies)",
        ),
        (
            "[psgd,",
            "[{name: psgd, per_tensor: true},",
            "t.yaml:8:32: studies[0].matrix.algorithm[0].per_tensor: the option changes only messages",
        ),
        ("studies:", "matrix: {}\nstudies:", "t.yaml:2:1: matrix: a scenario to train"),
        ("measure: stationary_gradient", "measure: speed", "t.yaml:3:14: studies[0].measure: 'speed'"),
    ],
)
def test_a_mistake_is_reported_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in VALID
    with pytest.raises(ScenarioError) as error:
        check_theory(parse(VALID.replace(old, new), "t.yaml"))

    assert str(error.value).startswith(expected)
