import pytest

from tests.scenarios import edited, error_of, scenario

TEXT = edited("workers: [2]", "workers: [2, 4]").replace("[ddp, liec]", "[ddp, {name: liec, average_period: 4}]")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("lice", "11: baseline: no cell has the algorithm 'lice' (did you mean liec?)"),
        ("psgd", "11: baseline: no cell has the algorithm 'psgd' (valid: ddp, liec)"),
        ("{workers: 2}", "11: baseline: {'workers': 2}: no algorithm; write for example {algorithm: liec, workers: 2}"),
        (
            "{algorithm: liec, workers: 3}",
            "38: baseline.workers: no cell is liec with workers 3: in cells of liec, workers is 2 or 4; "
            "give such a value",
        ),
        (
            "{algorithm: ddp, average_period: 4}",
            "28: baseline.average_period: cells of ddp have no field 'average_period' (valid: ",
        ),
        (
            "{algorithm: liec, worker: 2}",
            "29: baseline.worker: cells of liec have no field 'worker' (did you mean workers?)",
        ),
        (
            "{algorithm: ddp, workers: 4, learning_rate: 0.2}",
            "55: baseline.learning_rate: no cell is ddp with workers 4, learning rate 0.2: in cells of ddp, "
            "learning_rate is 0.1; give such a value",
        ),
    ],
)
def test_a_baseline_that_no_cell_is_has_its_place_and_what_cells_have(line: str, error: str) -> None:
    assert error_of(f"{TEXT}baseline: {line}\n").startswith(f"s.yaml:12:{error}")


def test_a_field_that_is_empty_in_all_cells_is_to_be_removed() -> None:
    actual = error_of(f"{TEXT}baseline: {{algorithm: ddp, compressor: sign}}\n")

    assert actual == "s.yaml:12:28: baseline.compressor: cells of ddp have no compressor; remove it"


def test_only_values_that_cells_have_are_listed_and_of_many_the_first() -> None:
    # One cell of ddp clips no gradient.
    clipped = TEXT.replace("[ddp, ", "[ddp, {name: ddp, task: {clip_grad_norm: 1.0}}, ")
    rates = f"{TEXT}  weight_decay: [{', '.join(map(str, range(200)))}]\n"

    assert error_of(f"{clipped}baseline: {{algorithm: ddp, clip_grad_norm: 2.0}}\n").endswith(
        "in cells of ddp, clip_grad_norm is 1.0; give such a value"
    )
    assert error_of(f"{rates}baseline: {{algorithm: ddp, weight_decay: 500}}\n").endswith(
        "in cells of ddp, weight_decay is 0.0, 1.0, 2.0, 3.0 or 196 more; give such a value"
    )


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_is_no_part_of_a_baseline(seed: int) -> None:
    actual = error_of(f"{TEXT}  seed: [0, 1]\nbaseline: {{algorithm: liec, seed: {seed}, workers: 2}}\n")

    reason = "a seed is no part of a method, and methods are compared over all seeds"
    assert actual == f"s.yaml:13:29: baseline.seed: {seed}: {reason}; remove it"


@pytest.mark.parametrize("baseline", ["ddp", "{algorithm: ddp, workers: 2}"])
def test_a_baseline_of_an_included_cell_is_taken_and_one_that_is_excluded_refused(baseline: str) -> None:
    alone = edited("[ddp, liec]", "[liec]")
    included = scenario(f"{alone}include: [{{algorithm: ddp}}]\nbaseline: {baseline}\n")

    assert any(included.baseline_choice.matches(cell.spec()) for cell in included.cells())
    assert error_of(f"{TEXT}exclude: [{{algorithm: ddp}}]\nbaseline: {baseline}\n") == (
        "s.yaml:13:11: baseline: every cell of ddp is excluded; exclude fewer, or give another baseline"
    )


def test_a_missing_key_is_named_before_the_baseline() -> None:
    text = TEXT.replace("  epochs: 2\n", "")

    assert "task.epochs: the key is missing; add it" in error_of(f"{text}baseline: {{algorithm: liec, workers: 2}}\n")


def test_values_of_different_cells_are_no_baseline() -> None:
    cells = "exclude: [{algorithm: liec, workers: 4}]\ninclude: [{algorithm: liec, workers: 4, link: 1gbit}]\n"

    actual = error_of(f"{TEXT}{cells}baseline: {{algorithm: liec, workers: 2, link: 1gbit}}\n")

    assert actual == "s.yaml:14:11: baseline: no cell is liec with workers 2, link 1gbit; give values that one cell has"


@pytest.mark.parametrize("baseline", ["ddp", "liec", "{algorithm: liec, workers: 4, average_period: 4}"])
def test_a_baseline_of_the_matrix_is_taken(baseline: str) -> None:
    loaded = scenario(f"{TEXT}baseline: {baseline}\n")

    assert any(loaded.baseline_choice.matches(cell.spec()) for cell in loaded.cells())
