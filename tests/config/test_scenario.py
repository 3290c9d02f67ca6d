import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios import BASE, edited, error_of, names_of, scenario

ALGORITHMS = {"ddp": False, "psgd": False, "memsgd": True, "doublesqueeze": True, "liec": True}


def test_cells_come_in_the_order_of_the_axes() -> None:
    text = edited("[2]", "[2, 4]").replace("[sign]", "[sign, top_k]") + "  link: [10mbit, none]\n  seed: [1, 0]\n"
    expected = [
        f"{method} · {workers} workers · {link} · seed {seed}"
        for workers in (2, 4)
        for link in ("10mbit", "none")
        for method, seed in [
            ("ddp", 1),
            ("ddp", 0),
            ("liec(sign)", 1),
            ("liec(sign)", 0),
            ("liec(top_k)", 1),
            ("liec(top_k)", 0),
        ]
    ]

    assert expected == names_of(text)


@given(
    st.lists(st.sampled_from(sorted(ALGORITHMS)), min_size=1, unique=True),
    st.lists(st.sampled_from(["identity", "sign", "top_k"]), min_size=1, unique=True),
    st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_every_combination_is_one_cell(
    algorithms: list[str], compressors: list[str], workers: list[int], seeds: list[int]
) -> None:
    matrix = {"algorithm": algorithms, "compressor": compressors, "workers": workers, "seed": seeds}
    ids = [cell.id for cell in scenario(BASE.partition("matrix:")[0] + f"matrix: {json.dumps(matrix)}\n").cells()]
    methods = sum(len(compressors) if ALGORITHMS[name] else 1 for name in algorithms)
    expected = methods * len(workers) * len(seeds)

    assert (expected, expected) == (len(ids), len(set(ids)))


@given(st.permutations(BASE.partition("matrix:\n")[2].splitlines()), st.permutations(range(3)))
def test_cells_and_their_order_do_not_depend_on_the_order_of_keys(axes: list[str], order: list[int]) -> None:
    name, _, rest = BASE.partition("task:\n")
    sections = [name, f"task:\n{rest.partition('matrix:')[0]}", "\n".join(["matrix:", *axes, ""])]
    text = "".join(sections[index] for index in order)

    assert [cell.id for cell in scenario(BASE).cells()] == [cell.id for cell in scenario(text).cells()]


def test_cells_written_twice_are_one() -> None:
    text = edited("[ddp, liec]", "[ddp, ddp, liec, {name: liec, average_period: 32}]").replace("[sign]", "[sign, sign]")

    assert names_of(BASE) == names_of(text)


def test_an_algorithms_own_task_comes_before_the_matrix_and_the_task() -> None:
    text = edited("[ddp, liec]", "[ddp, {name: liec, task: {learning_rate: 0.3}}]") + "  learning_rate: [0.2]\n"
    rates = [cell.task.learning_rate for cell in scenario(text).cells()]

    assert rates == [0.2, 0.3]


def test_task_fields_are_axes_too() -> None:
    text = edited("  learning_rate: 0.1\n", "") + "  learning_rate: [0.1, 0.2]\n  model: [{name: mlp, width: 8}]\n"
    points = [(cell.task.learning_rate, cell.task.model.options["width"]) for cell in scenario(text).cells()]

    assert points == [(0.1, 8), (0.1, 8), (0.2, 8), (0.2, 8)]


def test_a_swept_null_is_no_schedule() -> None:
    text = edited("0.1\n", "0.1\n  schedule: cosine\n").replace("[ddp, liec]", "[ddp]") + "  schedule: [cosine, null]\n"
    schedules = [cell.task.schedule for cell in scenario(text).cells()]

    assert schedules == ["cosine", None]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("{algorithm: liec, compressor: top_k}", ["ddp", "ddp", "liec(sign)", "liec(sign)"]),
        ("{algorithm: liec, seed: 1}", ["ddp", "ddp", "liec(sign)", "liec(top_k)"]),
        ("{compressor: {name: top_k, ratio: 0.5}}", ["ddp", "ddp", "liec(sign)", "liec(sign)"]),
        ("{workers: 2, link: none, seed: 0}", ["ddp", "liec(sign)", "liec(top_k)"]),
        ("{algorithm: ddp}, {compressor: sign}", ["liec(top_k)"] * 2),
        ("{algorithm: {name: liec, average_period: 32}}", ["ddp", "ddp"]),
        ("{algorithm: liec, learning_rate: 0.1}", ["ddp", "ddp"]),
        ("{compressor: sign}, {compressor: top_k}", ["ddp", "ddp"]),
    ],
)
def test_excluded_cells_are_those_that_have_every_value(exclude: str, left: list[str]) -> None:
    matrix = edited("[sign]", "[sign, {name: top_k, ratio: 0.5}]") + "  seed: [0, 1]\n"

    assert left == [name.partition(" ")[0] for name in names_of(f"{matrix}exclude: [{exclude}]\n")]


@pytest.mark.parametrize(
    "entry",
    [
        "{compressor: {name: top_k, ratio: 0.4}}",
        "{workers: 4}",
        "{algorithm: liec, learning_rate: 0.2}",
        "{algorithm: {name: liec, task: {learning_rate: 0.2}}}",
    ],
)
def test_an_exclusion_that_excludes_nothing_is_a_mistake(entry: str) -> None:
    actual = error_of(f"{BASE}exclude: [{{algorithm: ddp}}, {entry}]\n")

    assert "exclude[1]: no cell of the matrix matches; remove it" in actual


def test_an_included_cell_is_never_excluded() -> None:
    text = BASE + "exclude: [{algorithm: liec}]\ninclude: [{algorithm: liec, seed: 3}]\n"

    assert [name.partition(" ")[0] + name[-1] for name in names_of(text)] == ["ddp0", "liec(sign)3"]


def test_excluding_a_default_option_excludes_its_cells() -> None:
    text = edited("[sign]", "[sign, top_k]") + "exclude: [{compressor: {name: top_k, ratio: 0.01}}]\n"

    assert names_of(BASE) == names_of(text)


def test_included_cells_come_last_and_take_the_rest_from_the_matrix() -> None:
    text = BASE + "include: [{algorithm: psgd, workers: 4}, {link: 5mbit}, {algorithm: ddp}]\n"

    assert [*names_of(BASE), "psgd · 4 workers · none · seed 0", "ddp · 2 workers · 5mbit · seed 0"] == names_of(text)


def test_the_last_sample_still_fits() -> None:
    sizes = [cell.task.batch_size for cell in scenario(edited("batch_size: 32", "batch_size: 718")).cells()]

    assert sizes == [718, 718]


def test_exponents_and_whole_numbers_are_rates() -> None:
    rates = [scenario(edited("0.1", text)).cells()[0].task.learning_rate for text in ("1e-3", "1E-3", "1", "5.0e-4")]

    assert rates == [0.001, 0.001, 1.0, 0.0005]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("25MiB", 26_214_400), ("1.5 kB", 1500), ("100", 100), ("whole", "whole"), ("null", 26_214_400)],
)
def test_blocks_are_bytes_with_or_without_a_unit(written: str, expected: int | str) -> None:
    cells = scenario(BASE + f"block_bytes: {written}\n").cells()

    assert {expected} == {cell.block_bytes for cell in cells if cell.compressor is not None}


def test_block_sign_uses_the_papers_blocks_by_default() -> None:
    text = edited("[sign]", "[sign, block_sign]")
    preferred = {(c.compressor and c.compressor.name): c.block_bytes for c in scenario(text).cells()}
    block_sizes = {c.block_bytes for c in scenario(text + "block_bytes: whole\n").cells()}

    assert preferred == {None: None, "sign": 26214400, "block_sign": 5242880}
    assert block_sizes == {"whole"}


def test_the_order_of_blocks_is_a_field_of_cells_with_blocks_of_gradient_unless_it_is_the_default() -> None:
    specs = [cell.spec() for cell in scenario(BASE + "block_order: forward\n").cells()]
    defaults = [cell.spec() for cell in scenario(BASE + "block_order: backward\n").cells()]

    assert [(spec["algorithm"]["name"], spec.get("block_order")) for spec in specs] == [
        ("ddp", None),
        ("liec", "forward"),
    ]
    assert defaults == [cell.spec() for cell in scenario(BASE).cells()]


def test_a_scenario_whose_model_stands_in_the_matrix_is_stored_without_one_in_the_task() -> None:
    stored = scenario(BASE.replace("  model: mlp\n", "") + "  model: [mlp, cnn]\n").stored()

    assert [entry["name"] for entry in stored["matrix"]["model"]] == ["mlp", "cnn"]
    assert "model" not in stored["task"]


def test_a_scenario_without_cells_of_the_default_baseline_can_be_run_from_where_it_is_stored() -> None:
    one = scenario(BASE.replace("[ddp, ", "["))

    again = scenario(yaml.safe_dump(one.stored()))

    assert {cell.algorithm.name for cell in one.cells()} == {"liec"}
    assert again.cells() == one.cells()
    assert again.baseline_choice == one.baseline_choice
