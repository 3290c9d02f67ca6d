from pathlib import Path

import pytest

from liecbench.config.factory import make_algorithm
from liecbench.config.loader import check, load_scenario
from liecbench.config.yaml_source import parse
from liecbench.errors import ScenarioError
from tests.scenarios import BASE, edited, error_of, scenario


@pytest.mark.parametrize(
    ("old", "new", "prefix", "remedy"),
    [
        ("  batch", "    batch", "s.yaml:5:15: ", "a second ': ' in one value; put each key on a line of its own"),
        ("  workers", "   workers", "s.yaml:11:4: ", "indented differently from the keys beside it; indent them alike"),
        ("  workers", "\tworkers", "s.yaml:11:1: ", "a tab; indent with spaces"),
        (
            "digits\n  model: mlp",
            "text\n  model: gpt\n  partition: {dirichlet: 1}",
            "s.yaml:5:14: task.partition: ",
            "text has no classes to divide its samples by; use partition: iid",
        ),
        ("model: mlp", "model: gpt", "s.yaml:4:10: task.model: ", "gpt"),
        ("digits", "text", "s.yaml:4:10: task.model: ", "it cannot take inputs of shape [2, 64] and torch.int64"),
        ("digits", "{name: text, path: gone.txt}", "s.yaml:3:12: task.dataset: ", "gone.txt: No such file"),
        (
            "digits",
            "{name: synthetic, test_samples: 1}",
            "s.yaml:3:12: task.dataset: ",
            "synthetic holds out 1 samples, and each of 2 workers tests on one; hold out more, or lower workers",
        ),
        (
            "model: mlp",
            "model: tests.own_tasks:five_outputs",
            "s.yaml:4:10: task.model: ",
            "outputs of shape [2, 5] where [2, 10] are needed",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  model: [mlp, 'tests.own_tasks:five_outputs']",
            "s.yaml:12:16: matrix.model[1]: ",
            "outputs of shape [2, 5] where [2, 10] are needed",
        ),
        ("dataset: digits\n  ", "", "s.yaml:3:3: task.dataset: ", "the key is missing; add it under task or matrix"),
        ("  workers: [2]\n", "", "s.yaml:9:3: matrix.workers: ", "the key is missing; add it"),
        ("  algorithm: [ddp, liec]\n", "", "s.yaml:9:3: matrix.algorithm: ", "the key is missing; add it"),
        ("  compressor: [sign]\n", "", "s.yaml:9:3: matrix.compressor: ", "add compressor: [sign] to the matrix"),
        ("  batch_size: 32\n", "", "s.yaml:3:3: task.batch_size: ", "the key is missing; add it under task or matrix"),
    ],
)
def test_mistakes_have_their_place_and_remedy(old: str, new: str, prefix: str, remedy: str) -> None:
    actual = error_of(edited(old, new))

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("line", "prefix", "remedy"),
    [
        ("backend: nccl", "s.yaml:12:10: backend: ", "use backend: gloo with device: cpu"),
        (
            "backend: nccl\ndevice: cuda\nenforcement: process",
            "s.yaml:14:14: enforcement: ",
            "process cannot pace nccl: it paces messages over Gloo alone; use enforcement: kernel, or backend: gloo",
        ),
        ("exclude: [{workers: 2}]", "s.yaml:12:10: exclude: ", "every cell is excluded; remove an entry"),
        ("x: &a [*a]", "s.yaml:12:4: ", "aliases repeat without end; write the values out"),
        ("x: !!python/object/apply:os.system [ls]", "s.yaml:12:4: x: ", "is not allowed; remove it"),
        ("name: again", "s.yaml:12:1: name: ", "the key appears twice (first at s.yaml:1:1); remove one"),
    ],
)
def test_mistakes_in_a_further_line_have_their_place_and_remedy(line: str, prefix: str, remedy: str) -> None:
    actual = error_of(f"{BASE}{line}\n")

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


def test_an_included_algorithm_without_its_compressor_is_a_mistake() -> None:
    text = edited("[ddp, liec]", "[ddp]").replace("  compressor: [sign]\n", "") + "include: [{algorithm: memsgd}]\n"
    actual = error_of(text)

    assert (actual[:10], "compressor" in actual) == ("s.yaml:11:", True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario(tmp_path / "no.yaml")

    assert str(raised.value).startswith(f"{tmp_path / 'no.yaml'}: No such file or directory; ")


def test_overrides_apply_in_order(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE)
    cells = load_scenario(path, ["task.epochs=3", "task.epochs=4", "matrix.seed=[5]", "server=root"]).cells()

    assert [(cell.task.epochs, cell.seed, cell.server) for cell in cells] == [(4, 5, None), (4, 5, "root")]


@pytest.mark.parametrize(
    ("options", "place", "remedy"),
    [
        ("delay: 4", "s.yaml:9:20: matrix.algorithm[1]: ", "write a delay of at most 3, or a larger sync_every"),
        ("sync_every: 9", "s.yaml:9:20: matrix.algorithm[1]: ", "write sync_every 10, or other fragments"),
        ("fragments: 8", "s.yaml:9:20: matrix.algorithm[1]: diloco does not work with mlp: ", "write fragments 6 or"),
    ],
)
def test_options_of_a_method_that_contradict_each_other_are_refused(options: str, place: str, remedy: str) -> None:
    name = options.split(":")[0]
    given = {"sync_every": "8", "fragments": "2", "delay": "0"} | {name: options.split(": ")[1]}
    text = ", ".join(f"{option}: {value}" for option, value in given.items())
    message = error_of(edited("[ddp, liec]", f"[ddp, {{name: diloco, {text}}}]"))

    assert message.startswith(place)
    assert remedy in message


def test_a_method_whose_compressor_has_a_default_needs_none() -> None:
    text = edited("[ddp, liec]", "[ddp, diloco]").replace("  compressor: [sign]\n", "")

    assert [cell.compressor for cell in scenario(text).cells()] == [None, None]


def test_data_of_cells_that_will_not_run_need_not_be_there() -> None:
    text = edited("workers: [2]", "workers: [2]\n  dataset: [digits, {name: text, path: gone.txt}]")
    document = parse(text, "s.yaml")

    assert len(check(document, lambda cells: [c for c in cells if c.task.dataset.name == "digits"]).cells()) == 4
    with pytest.raises(ScenarioError, match=r"matrix.dataset\[1\]: gone.txt: No such file"):
        check(document)


def test_a_matrix_that_is_too_large_is_refused_with_its_size() -> None:
    """It is multiplied, not counted: to list its cells would take hours."""
    values = ", ".join(map(str, range(1, 1001)))
    text = edited("workers: [2]", f"workers: [{values}]\n  seed: [{values}]\n  batch_size: [{values}]")
    sizes = "2,000,000,000 cells (1,000 of workers × 1,000 of batch_size × 2 of algorithm × 1,000 of seed), and at most"

    assert f"matrix: {sizes} 100,000 are allowed; give fewer values, or several scenarios" in error_of(text)


def test_methods_that_exchange_dense_gradients_are_refused_for_sparse_embeddings() -> None:
    sparse = edited("model: mlp", "model: tests.own_tasks:embedded")

    assert error_of(sparse).endswith(
        "liec exchanges dense gradients, and parameter embedding.weight of tests.own_tasks:embedded has sparse ones; "
        "make its embedding with sparse=False, or compare methods such as ddp that take sparse ones"
    )
    assert len(scenario(sparse.replace("[ddp, liec]", "[ddp]")).cells()) == 1


def test_options_that_depend_on_the_run_are_checked_and_filled_in() -> None:
    # Of the 1437 samples of digits, 64 are used per step: 22 steps per epoch, 44 in all.
    late = edited("[ddp, liec]", "[ddp, {name: onebit_adam, freeze_step: 44}]")
    first, adam, dgc = scenario(edited("[ddp, liec]", "[ddp, onebit_adam, dgc]")).cells()

    assert error_of(late) == (
        "s.yaml:9:53: matrix.algorithm[1].freeze_step: the run has 44 steps, and would end before it sends one bit per "
        "entry; write freeze_step: 7, or remove it to take 15 % of the steps"
    )
    kinds = [make_algorithm(adam).step_kind(step) for step in range(44)]
    assert kinds == ["warmup"] * 7 + ["compressed"] * 37
    assert [make_algorithm(dgc).step_kind(step) for step in (21, 22)] == ["warmup_1", "warmup_2"]
    assert make_algorithm(dgc, num_samples=128).step_kind(2) == "warmup_2"
    assert make_algorithm(first).start_up_steps == 0
