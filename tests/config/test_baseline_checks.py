import pytest

from tests.scenarios import edited, error_of, scenario

TEXT = edited("workers: [2]", "workers: [2, 4]").replace("[ddp, liec]", "[ddp, {name: liec, average_period: 4}]")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("lice", "11: baseline: 'lice' is not an algorithm of the matrix (did you mean liec?)"),
        ("psgd", "11: baseline: 'psgd' is not an algorithm of the matrix (valid: ddp, liec)"),
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


def test_values_of_different_cells_are_no_baseline() -> None:
    cells = "exclude: [{algorithm: liec, workers: 4}]\ninclude: [{algorithm: liec, workers: 4, seed: 1}]\n"

    actual = error_of(f"{TEXT}{cells}baseline: {{algorithm: liec, workers: 2, seed: 1}}\n")

    assert actual == "s.yaml:14:11: baseline: no cell is liec with workers 2, seed 1; give values that one cell has"


@pytest.mark.parametrize("baseline", ["ddp", "liec", "{algorithm: liec, workers: 4, average_period: 4}"])
def test_a_baseline_of_the_matrix_is_taken(baseline: str) -> None:
    loaded = scenario(f"{TEXT}baseline: {baseline}\n")

    assert any(loaded.baseline_choice.matches(cell.spec()) for cell in loaded.cells())
