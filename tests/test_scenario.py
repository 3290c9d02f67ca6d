import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.cell import Cell
from liecbench.document import override, parse
from liecbench.errors import ScenarioError
from liecbench.matrix import Scenario
from liecbench.scenario import check, load_scenario

BASE = """\
name: example
task:
  dataset: digits
  model: mlp
  batch_size: 32
  epochs: 2
  learning_rate: 0.1
matrix:
  algorithm: [ddp, liec]
  compressor: [sign]
  workers: [2]
"""
CANONICAL = (
    '{"algorithm":{"average_period":32,"name":"liec"},"backend":"gloo","block_bytes":26214400,'
    '"compressor":{"name":"sign"},"device":"cpu","link":{"down":"100mbit","up":"20mbit"},"seed":3,"server":"sharded",'
    '"task":{"batch_size":32,"dataset":{"name":"digits"},"epochs":2,"learning_rate":0.1,'
    '"model":{"layers":2,"name":"mlp","width":256},"momentum":0.0,"precision":"fp32",'
    '"schedule":{"factor":0.1,"milestones":[1]},"warmup_steps":0,"weight_decay":0.0},'
    '"threads":1,"timing":"measured","workers":2}'
)
ALGORITHMS = {"ddp": False, "psgd": False, "memsgd": True, "doublesqueeze": True, "liec": True}


def scenario(text: str) -> Scenario:
    return check(parse(text, "s.yaml"))


def edited(old: str, new: str) -> str:
    assert old in BASE, old
    return BASE.replace(old, new)


def error_of(text: str, *assignments: str) -> str:
    with pytest.raises(ScenarioError) as raised:  # noqa: PT012 - either step may refuse
        document = parse(text, "s.yaml")
        for assignment in assignments:
            document = override(document, assignment)
        check(document)
    return str(raised.value)


def names_of(text: str) -> list[str]:
    return [cell.describe() for cell in scenario(text).cells()]


@pytest.mark.parametrize(
    ("old", "new", "prefix", "remedy"),
    [
        ("epochs: 2", "epoch: 2", "s.yaml:6:3: task.epoch: ", "did you mean epochs?"),
        ("name: example", "nane: example", "s.yaml:1:1: nane: ", "did you mean name?"),
        ("workers: [2]", "worker: [2]", "s.yaml:11:3: matrix.worker: ", "did you mean workers?"),
        ("epochs: 2", "epochs: true", "s.yaml:6:11: task.epochs: ", "True should be a valid integer"),
        ("epochs: 2", "epochs: 2.0", "s.yaml:6:11: task.epochs: ", "2.0 should be a valid integer"),
        ("epochs: 2", "epochs: '2'", "s.yaml:6:11: task.epochs: ", "'2' should be a valid integer"),
        ("epochs: 2", "epochs: [1]", "s.yaml:6:11: task.epochs: ", "should be a valid integer"),
        ("epochs: 2", "epochs:", "s.yaml:6:10: task.epochs: ", "None should be a valid integer"),
        ("epochs: 2", "epochs: 0", "s.yaml:6:11: task.epochs: ", "greater than or equal to 1"),
        ("rate: 0.1", "rate: fast", "s.yaml:7:18: task.learning_rate: ", "'fast' should be a valid number"),
        ("rate: 0.1", "rate: '0.1'", "s.yaml:7:18: task.learning_rate: ", "'0.1' should be a valid number"),
        ("rate: 0.1", "rate: true", "s.yaml:7:18: task.learning_rate: ", "True should be a valid number"),
        ("rate: 0.1", "rate: 0.0", "s.yaml:7:18: task.learning_rate: ", "greater than 0"),
        ("rate: 0.1", "rate: .nan", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: .inf", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: 1e999", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: 0.1\n  momentum: 1.0", "s.yaml:8:13: task.momentum: ", "less than 1"),
        ("rate: 0.1", "rate: 0.1\n  precision: fp16", "s.yaml:8:14: task.precision: ", "'fp32' or 'bf16'"),
        ("rate: 0.1", "rate: 0.1\n  schedule: linear", "s.yaml:8:13: task.schedule: ", "write cosine, or {milestones"),
        ("rate: 0.1", "rate: 0.1\n  schedule: {factor: 1.0}", "s.yaml:8:13: task.schedule.milestones: ", "add it"),
        (
            "rate: 0.1",
            "rate: 0.1\n  schedule: {milestones: [2, 1]}",
            "s.yaml:8:26: task.schedule.milestones: ",
            "write the epochs in order",
        ),
        (
            "rate: 0.1",
            "rate: 0.1\n  schedule: {milestone: [1]}",
            "s.yaml:8:14: task.schedule.milestone: ",
            "did you mean milestones?",
        ),
        ("workers: [2]", "workers: [2, 0]", "s.yaml:11:16: matrix.workers[1]: ", "greater than or equal to 1"),
        ("workers: [2]", "workers: 0", "s.yaml:11:12: matrix.workers: ", "greater than or equal to 1"),
        ("workers: [2]", "workers: []", "s.yaml:11:12: matrix.workers: ", "at least 1 item"),
        ("workers: [2]", "workers: [2]\n  seed: [-1]", "s.yaml:12:10: matrix.seed[0]: ", "greater than or equal to 0"),
        ("workers: [2]", "workers: [2]\n  link: [100]", "s.yaml:12:10: matrix.link[0]: ", "write a rate from 1mbit"),
        ("workers: [2]", "workers: [2]\n  link: fast", "s.yaml:12:9: matrix.link: ", "write a rate from 1mbit"),
        ("workers: [2]", "workers: [2]\n  link: 33gbit", "s.yaml:12:9: matrix.link: ", "write a rate from 1mbit"),
        ("workers: [2]", "workers: [2]\n  link: {up: 1mbit}", "s.yaml:12:9: matrix.link: ", "the keys up and down"),
        ("[ddp, liec]", "[dpd]", "s.yaml:9:15: matrix.algorithm[0].name: ", "did you mean ddp?"),
        ("[ddp, liec]", "[ddp, {name: leic}]", "s.yaml:9:27: matrix.algorithm[1].name: ", "did you mean liec?"),
        (
            "[ddp, liec]",
            "[{name: liec, average_perod: 8}]",
            "s.yaml:9:28: matrix.algorithm[0].average_perod: ",
            "did you mean average_period?",
        ),
        (
            "[ddp, liec]",
            "[{name: liec, average_period: 0}]",
            "s.yaml:9:28: matrix.algorithm[0].average_period: ",
            "`liecbench list algorithms` shows the options",
        ),
        (
            "[ddp, liec]",
            "[{name: liec, task: {epoch: 1}}]",
            "s.yaml:9:35: matrix.algorithm[0].task.epoch: ",
            "did you mean epochs?",
        ),
        (
            "[ddp, liec]",
            "[{name: liec, task: {epochs: 0}}]",
            "s.yaml:9:43: matrix.algorithm[0].task.epochs: ",
            "greater than or equal to 1",
        ),
        ("[sign]", "[sing]", "s.yaml:10:16: matrix.compressor[0].name: ", "did you mean sign?"),
        ("[sign]", "[zz]", "s.yaml:10:16: matrix.compressor[0].name: ", "valid: identity, sign, top_k"),
        ("[sign]", "[3]", "s.yaml:10:16: matrix.compressor[0]: ", "write {name: …, option: …}"),
        ("[sign]", "[{ratio: 1.0}]", "s.yaml:10:16: matrix.compressor[0]: ", "write {name: …, option: …}"),
        ("[sign]", "[{name: sign, x: 1}]", "s.yaml:10:29: matrix.compressor[0].x: ", "it takes none"),
        (
            "[sign]",
            "[{name: top_k, ratio: 0}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "greater than 0 (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: 2}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "less than or equal to 1 (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: .nan}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "finite number (`liecbench list compressors`",
        ),
        (
            "[sign]",
            "[{name: top_k, ratio: true}]",
            "s.yaml:10:30: matrix.compressor[0].ratio: ",
            "True should be a valid number",
        ),
        ("dataset: digits", "dataset: digit", "s.yaml:3:12: task.dataset.name: ", "did you mean digits?"),
        (
            "dataset: digits",
            "dataset: mlp",
            "s.yaml:3:12: task.dataset.name: ",
            "'mlp' is not a dataset (valid: digits",
        ),
        ("model: mlp", "model: {name: mlp, widht: 3}", "s.yaml:4:22: task.model.widht: ", "did you mean width?"),
        ("batch_size: 32", "batch_size: 719", "s.yaml:5:15: task.batch_size: ", "lower batch_size or workers"),
        ("name: example\n", "", "s.yaml:1:1: name: ", "the key is missing; add it"),
        ("name: example", "name: ../up", "s.yaml:1:7: name: ", "'../up'"),
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
        ("servr: root", "s.yaml:12:1: servr: ", "did you mean server?"),
        ("server: none", "s.yaml:12:9: server: ", "'root' or 'sharded'"),
        ("backend: nccl", "s.yaml:12:10: backend: ", "use backend: gloo with device: cpu"),
        ("device: gpu", "s.yaml:12:9: device: ", "'cpu' or 'cuda'"),
        ("threads: 0", "s.yaml:12:10: threads: ", "greater than or equal to 1"),
        ("block_bytes: 0", "s.yaml:12:14: block_bytes: ", "greater than or equal to 1"),
        ("target_accuracy: 90", "s.yaml:12:18: target_accuracy: ", "less than or equal to 1"),
        ("target_accuracy: .nan", "s.yaml:12:18: target_accuracy: ", "finite number"),
        ("baseline: lice", "s.yaml:12:11: baseline: ", "did you mean liec?"),
        ("baseline: psgd", "s.yaml:12:11: baseline: ", "valid: ddp, liec"),
        ("exclude: {algorithm: ddp}", "s.yaml:12:10: exclude: ", "should be a valid list"),
        ("exclude: [{algoritm: ddp}]", "s.yaml:12:12: exclude[0].algoritm: ", "did you mean algorithm?"),
        ("exclude: [{algorithm: dpp}]", "s.yaml:12:23: exclude[0].algorithm.name: ", "did you mean ddp?"),
        ("exclude: [{workers: 2}]", "s.yaml:12:10: exclude: ", "every cell is excluded; remove an entry"),
        ("include: [{workers: 0}]", "s.yaml:12:21: include[0].workers: ", "greater than or equal to 1"),
        ("include: [{link: 5}]", "s.yaml:12:18: include[0].link: ", "write a rate from 1mbit"),
        ("x: &a [*a]", "s.yaml:12:4: ", "aliases repeat without end; write the values out"),
        ("x: !!python/object/apply:os.system [ls]", "s.yaml:12:4: x: ", "is not allowed; remove it"),
        ("name: again", "s.yaml:12:1: name: ", "the key stands twice (first at s.yaml:1:1); remove one"),
    ],
)
def test_mistakes_in_a_further_line_have_their_place_and_remedy(line: str, prefix: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        scenario(f"{BASE}{line}\n")
    actual = str(raised.value)

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("assignment", "prefix", "remedy"),
    [
        ("task.epochs=0", "--set task.epochs=0: task.epochs: ", "greater than or equal to 1"),
        ("task.epoch=3", "--set task.epoch=3: task.epoch: ", "did you mean epochs?"),
        ("matrix.workers=[0]", "--set matrix.workers=[0]: matrix.workers", "greater than or equal to 1"),
        ("matrix.link=fast", "--set matrix.link=fast: matrix.link: ", "write a rate from 1mbit"),
        ("task=3", "--set task=3: task: ", "should be a mapping of keys"),
        ("servr=root", "--set servr=root: servr: ", "did you mean server?"),
        ("task.epochs.x=3", "--set task.epochs.x=3: task.epochs: ", "2 has no keys; set task.epochs as a whole"),
        ("tusk.epochs=3", "--set tusk.epochs=3: tusk", "did you mean task?"),
        ("matrix.sede.x=3", "--set matrix.sede.x=3: matrix.sede", "did you mean seed?"),
        ("a.b.c=3", "--set a.b.c=3: a", "valid: "),
    ],
)
def test_mistakes_in_an_override_name_the_option(assignment: str, prefix: str, remedy: str) -> None:
    actual = error_of(BASE, assignment)

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (edited("  batch_size: 32\n", "") + "  batch_size: [16, 719]\n", "s.yaml:11:"),
        (edited("[ddp, liec]", "[ddp, {name: liec, task: {batch_size: 719}}]"), "s.yaml:9:"),
    ],
    ids=["in the matrix", "of an algorithm"],
)
def test_too_large_a_batch_is_placed_where_it_stands(text: str, prefix: str) -> None:
    actual = error_of(text)

    assert prefix == actual[: len(prefix)]


def test_an_included_algorithm_without_its_compressor_is_a_mistake() -> None:
    text = edited("[ddp, liec]", "[ddp]").replace("  compressor: [sign]\n", "") + "include: [{algorithm: memsgd}]\n"
    actual = error_of(text)

    assert (actual[:10], "compressor" in actual) == ("s.yaml:11:", True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario(tmp_path / "no.yaml")

    assert str(raised.value).startswith(f"{tmp_path / 'no.yaml'}: No such file or directory; ")


def test_the_last_sample_still_fits() -> None:
    sizes = [cell.task.batch_size for cell in scenario(edited("batch_size: 32", "batch_size: 718")).cells()]

    assert sizes == [718, 718]


def test_exponents_and_whole_numbers_are_rates() -> None:
    rates = [scenario(edited("0.1", text)).cells()[0].task.learning_rate for text in ("1e-3", "1E-3", "1", "5.0e-4")]

    assert rates == [0.001, 0.001, 1.0, 0.0005]


def test_overrides_apply_in_order(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE)
    cells = load_scenario(path, ["task.epochs=3", "task.epochs=4", "matrix.seed=[5]", "server=root"]).cells()

    assert [(cell.task.epochs, cell.seed, cell.server) for cell in cells] == [(4, 5, None), (4, 5, "root")]


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

    assert "exclude[1]: no cell of the matrix is like that; remove it" in actual


def test_what_is_included_is_not_excluded() -> None:
    text = BASE + "exclude: [{algorithm: liec}]\ninclude: [{algorithm: liec, seed: 3}]\n"

    assert [name.partition(" ")[0] + name[-1] for name in names_of(text)] == ["ddp0", "liec(sign)3"]


def test_excluding_a_default_option_excludes_its_cells() -> None:
    text = edited("[sign]", "[sign, top_k]") + "exclude: [{compressor: {name: top_k, ratio: 0.01}}]\n"

    assert names_of(BASE) == names_of(text)


def test_included_cells_come_last_and_take_the_rest_from_the_matrix() -> None:
    text = BASE + "include: [{algorithm: psgd, workers: 4}, {link: 5mbit}, {algorithm: ddp}]\n"

    assert [*names_of(BASE), "psgd · 4 workers · none · seed 0", "ddp · 2 workers · 5mbit · seed 0"] == names_of(text)


def test_a_cell_resolves_every_default() -> None:
    cell = scenario(edited("[ddp, liec]", "liec") + "  seed: 3\n  link: {up: 20mbit, down: 100mbit}\n").cells()[0]
    expected = json.loads(CANONICAL) | {"task": json.loads(CANONICAL)["task"] | {"schedule": None}}

    assert expected == cell.spec()


def test_the_id_is_the_hash_of_the_canonical_json() -> None:
    cell = Cell.from_spec(json.loads(CANONICAL))

    assert hashlib.sha256(CANONICAL.encode()).hexdigest()[:12] == cell.id


def test_the_id_of_stored_results_never_changes() -> None:
    cell = Cell.from_spec(json.loads(CANONICAL))

    assert cell.id == "ec541746d42a"


@given(
    st.permutations(list(json.loads(CANONICAL).items())), st.permutations(list(json.loads(CANONICAL)["task"].items()))
)
def test_the_id_does_not_depend_on_the_order_of_keys(
    fields: list[tuple[str, Any]], task: list[tuple[str, Any]]
) -> None:
    actual = Cell.from_spec({**dict(fields), "task": dict(task)}).id

    assert Cell.from_spec(json.loads(CANONICAL)).id == actual


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": {"name": "psgd"}},
        {"algorithm": {"name": "liec", "average_period": 31}},
        {"backend": "nccl"},
        {"block_bytes": 26214401},
        {"block_bytes": "whole"},
        {"compressor": {"name": "top_k"}},
        {"compressor": None},
        {"device": "cuda"},
        {"link": {"up": "20mbit", "down": "101mbit"}},
        {"link": {"up": "21mbit", "down": "100mbit"}},
        {"link": "none"},
        {"seed": 4},
        {"server": "root"},
        {"server": None},
        {"threads": 2},
        {"timing": "composed"},
        {"workers": 3},
        {"task": {"batch_size": 33}},
        {"task": {"dataset": {"name": "digits", "part": 1}}},
        {"task": {"epochs": 3}},
        {"task": {"learning_rate": 0.2}},
        {"task": {"model": {"name": "mlp", "layers": 2, "width": 255}}},
        {"task": {"momentum": 0.9}},
        {"task": {"precision": "bf16"}},
        {"task": {"schedule": None}},
        {"task": {"schedule": "cosine"}},
        {"task": {"schedule": {"milestones": [1], "factor": 0.2}}},
        {"task": {"warmup_steps": 1}},
        {"task": {"weight_decay": 0.1}},
    ],
    ids=str,
)
def test_the_id_changes_with_every_field(change: dict[str, Any]) -> None:
    fields = json.loads(CANONICAL)
    task = {**fields["task"], **change.get("task", {})}
    changed = Cell.from_spec({**fields, **change, "task": task})

    assert Cell.from_spec(fields).id != changed.id


@given(
    st.integers(0, 2**40), st.integers(1, 64), st.sampled_from(["none", "1mbit", {"up": "2.5mbit", "down": "1gbit"}])
)
def test_specs_read_back_as_the_same_cell(seed: int, workers: int, link: object) -> None:
    cell = Cell.from_spec({**json.loads(CANONICAL), "seed": seed, "workers": workers, "link": link})

    assert cell == Cell.from_spec(json.loads(json.dumps(cell.spec())))
