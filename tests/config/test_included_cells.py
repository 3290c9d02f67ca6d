from liecbench.config.included_cells import included_notes
from tests.scenarios import edited, error_of, scenario

MATRIX = edited("  workers: [2]\n", "  workers: [2]\n  link: [20mbit, 200mbit]\n  seed: [0, 1, 2]\n")


def included(entry: str) -> list[tuple[str, str, int]]:
    found = scenario(f"{MATRIX}include: [{entry}]\n")
    return [
        (cell.algorithm.name, str(cell.link), cell.seed) for point, cell in found.kept if point.section[0] == "include"
    ]


def test_an_entry_with_lists_adds_every_combination() -> None:
    found = included("{algorithm: [memsgd, psgd], link: [20mbit, 200mbit], seed: [1, 2]}")

    links, seeds = ("20mbit", "200mbit"), (1, 2)
    assert sorted(found) == sorted(
        (name, link, seed) for name in ("memsgd", "psgd") for link in links for seed in seeds
    )


def test_an_entry_takes_the_first_value_of_an_axis_that_it_lacks_and_a_note_says_so() -> None:
    text = f"{MATRIX}include: [{{algorithm: memsgd, seed: 1}}, {{algorithm: psgd, link: 1gbit, seed: [3, 4]}}]\n"

    assert included("{algorithm: memsgd, seed: 1}") == [("memsgd", "20mbit", 1)]
    assert list(included_notes(scenario(text))) == [
        "note: include[0] takes the first of the matrix for what it lacks: link 20mbit"
    ]


def test_a_compressor_that_a_method_does_not_take_is_not_noted() -> None:
    text = MATRIX.replace("[sign]", "[sign, top_k]")
    entries = "{algorithm: ddp_bf16, link: 1gbit, seed: 0}, {algorithm: memsgd, link: 1gbit, seed: 0}"

    assert list(included_notes(scenario(f"{text}include: [{entries}]\n"))) == [
        "note: include[1] takes the first of the matrix for what it lacks: compressor sign"
    ]


def test_a_wrong_name_or_value_in_a_list_of_an_entry_has_its_place() -> None:
    assert "include[0].algorithm[1].name: " in error_of(f"{MATRIX}include: [{{algorithm: [psgd, memsg]}}]\n")
    assert "include[0].seed[1]: " in error_of(f"{MATRIX}include: [{{algorithm: psgd, seed: [0, x]}}]\n")


def test_the_stored_scenario_has_the_same_cells() -> None:
    found = scenario(f"{MATRIX}include: [{{algorithm: memsgd, link: [20mbit, 1gbit], seed: 4}}]\n")

    again = type(found).model_validate(found.stored())

    assert [cell.id for cell in again.cells()] == [cell.id for cell in found.cells()]
