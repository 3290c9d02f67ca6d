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
        ("epochs: 2", "epoch: 2", "s.yaml:6:3: task.epoch: ", "did you mean epochs?"),
        ("epochs: 2", "epochs: 2\n  workers: 2", "s.yaml:7:3: task.workers: ", "(write it under matrix)"),
        ("epochs: 2", "epochs: 2\n  backend: gloo", "s.yaml:7:3: task.backend: ", "(write it at the top level)"),
        ("[ddp, liec]", "{name: liec, task: {seed: 1}}", "s.yaml:9:34: matrix.algorithm.task.seed: ", "under matrix)"),
        ("name: example", "nane: example", "s.yaml:1:1: nane: ", "did you mean name?"),
        ("workers: [2]", "worker: [2]", "s.yaml:11:3: matrix.worker: ", "did you mean workers?"),
        ("epochs: 2", "epochs: true", "s.yaml:6:11: task.epochs: ", "True should be a valid integer"),
        ("epochs: 2", "epochs: 2.0", "s.yaml:6:11: task.epochs: ", "2.0 should be a valid integer"),
        ("epochs: 2", "epochs: '2'", "s.yaml:6:11: task.epochs: ", "'2' should be a valid integer"),
        (
            "epochs: 2",
            "epochs: [1]",
            "s.yaml:6:11: task.epochs: ",
            "; to try several values, write the list under matrix",
        ),
        ("name: example", "name: 5", "s.yaml:1:7: name: ", "5 should be a string; put it in quotes"),
        ("  batch", "    batch", "s.yaml:5:15: ", "a second ': ' in one value; put each key on a line of its own"),
        ("  workers", "   workers", "s.yaml:11:4: ", "indented differently from the keys beside it; indent them alike"),
        ("  workers", "\tworkers", "s.yaml:11:1: ", "a tab; indent with spaces"),
        ("epochs: 2", "epochs:", "s.yaml:6:10: task.epochs: ", "None should be a valid integer"),
        ("epochs: 2", "epochs: 1_000", "s.yaml:6:11: task.epochs: ", "'1_000' should be a valid integer; write 1000"),
        ("epochs: 2", "epochs: 1:30", "s.yaml:6:11: task.epochs: ", "'1:30' should be a valid integer; write digits"),
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
        ("rate: 0.1", "rate: 0.1\n  partition: even", "s.yaml:8:14: task.partition: ", "write iid, or {dirichlet"),
        ("rate: 0.1", "rate: 0.1\n  partition: {dirichlet: 0}", "s.yaml:8:26: task.partition.dirichlet: ", "than 0"),
        ("rate: 0.1", "rate: 0.1\n  partition: {dirchlet: 1}", "s.yaml:8:15: task.partition.dirchlet: ", "dirichlet?"),
        (
            "digits\n  model: mlp",
            "text\n  model: gpt\n  partition: {dirichlet: 1}",
            "s.yaml:5:14: task.partition: ",
            "text has no classes to divide its samples by; use partition: iid",
        ),
        ("model: mlp", "model: gpt", "s.yaml:4:10: task.model: ", "gpt"),
        ("digits", "text", "s.yaml:4:10: task.model: ", "it cannot take inputs of shape [2, 64] and torch.int64"),
        (
            "model: mlp",
            "model: {name: gpt, width: 9}",
            "s.yaml:4:10: task.model: ",
            "9",
        ),
        ("digits", "{name: synthetic, shape: [2]}", "s.yaml:3:12: task.dataset: ", "fewer than 10 classes; enlarge"),
        ("digits", "{name: text, path: gone.txt}", "s.yaml:3:12: task.dataset: ", "gone.txt: No such file"),
        (
            "digits",
            "{name: synthetic, test_samples: 1}",
            "s.yaml:3:12: task.dataset: ",
            "synthetic holds out 1 samples, and each of 2 workers tests on one; hold out more, or lower workers",
        ),
        ("model: mlp", "model: nowhere:build", "s.yaml:4:10: task.model.name: ", "'nowhere' cannot be imported"),
        ("model: mlp", "model: os:nothing", "s.yaml:4:10: task.model.name: ", "has no function 'nothing'"),
        ("[sign]", "[os:getcwd]", "s.yaml:10:16: matrix.compressor[0].name: ", "only datasets and models can be"),
        (
            "model: mlp",
            "model: {name: 'tests.own_tasks:linear', bais: true}",
            "s.yaml:4:43: task.model.bais: ",
            "did you mean bias?",
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
        ("workers: [2]", "workers: [2, 0]", "s.yaml:11:16: matrix.workers[1]: ", "greater than or equal to 1"),
        ("workers: [2]", "workers: 0", "s.yaml:11:12: matrix.workers: ", "greater than or equal to 1"),
        ("workers: [2]", "workers: []", "s.yaml:11:12: matrix.workers: ", "[] is empty; give at least one value"),
        ("workers: [2]", "workers: [2]\n  seed: [-1]", "s.yaml:12:10: matrix.seed[0]: ", "greater than or equal to 0"),
        ("workers: [2]", "workers: [2]\n  link: [100]", "s.yaml:12:10: matrix.link[0]: ", "write 100mbit"),
        ("workers: [2]", "workers: [2]\n  link: 1e8", "s.yaml:12:9: matrix.link: ", "write 100mbit"),
        ("workers: [2]", "workers: [2]\n  link: no", "s.yaml:12:9: matrix.link: ", "as false: write none"),
        ("workers: [2]", "workers: [2]\n  link: fast", "s.yaml:12:9: matrix.link: ", "write a rate such as 100mbit"),
        ("workers: [2]", "workers: [2]\n  link: 33gbit", "s.yaml:12:9: matrix.link: ", "write at most 32gbit"),
        (
            "workers: [2]",
            "workers: [2]\n  link: {up: 1mbit}",
            "s.yaml:12:9: matrix.link: ",
            "needs the key down too",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: [1mbit, {rate: 1mbit, latency: 1ms}]",
            "s.yaml:12:31: matrix.link[1].latency: ",
            "there is no key 'latency' here (write delay)",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: [1mbit, {rate: 1mbit, dely: 1ms}]",
            "s.yaml:12:31: matrix.link[1].dely: ",
            "there is no key 'dely' here (did you mean delay?)",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: {rate: 5mbit, workers: {0: 1mbit, 1: {loss: 2}}}",
            "s.yaml:12:53: matrix.link.workers.1.loss: ",
            "2 is not a loss; write 2%",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: {rate: 5mbit, workers: {0: 1mbit, x: 2mbit}}",
            "s.yaml:12:46: matrix.link.workers.x: ",
            "'x' is not a rank; write for example workers: {0: 1gbit, 3: 5mbit}",
        ),
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
        ("[sign]", "[zz]", "s.yaml:10:16: matrix.compressor[0].name: ", "valid: bf16, block_sign, chunked_top_k, fp16"),
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
            "'mlp' is not a dataset (valid: cifar10, cifar100, digits",
        ),
        ("model: mlp", "model: {name: mlp, widht: 3}", "s.yaml:4:22: task.model.widht: ", "did you mean width?"),
        ("batch_size: 32", "batch_size: 719", "s.yaml:5:15: task.batch_size: ", "lower batch_size or workers"),
        ("name: example\n", "", "s.yaml:1:1: name: ", "the key is missing; add it"),
        ("name: example", "name: ../up", "s.yaml:1:7: name: ", "'../up'"),
        ("  workers: [2]\n", "", "s.yaml:9:3: matrix.workers: ", "the key is missing; add it"),
        ("  algorithm: [ddp, liec]\n", "", "s.yaml:9:3: matrix.algorithm: ", "the key is missing; add it"),
        ("  compressor: [sign]\n", "", "s.yaml:9:3: matrix.compressor: ", "add compressor: [sign] to the matrix"),
        ("  batch_size: 32\n", "", "s.yaml:3:3: task.batch_size: ", "the key is missing; add it under task or matrix"),
        (
            "workers: [2]",
            "workers: [2]\n  link: [20mbit, {rate: 1mbit, workers: {2: 5mbit}}]",
            "s.yaml:12:18: matrix.link[1]: ",
            "there is no worker 2 among 2; they count from 0",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: 20mbit\nenforcement: process",
            "s.yaml:13:14: enforcement: ",
            "process cannot pace ddp: its collectives are torch's own",
        ),
        (
            "workers: [2]",
            "workers: [2]\n  link: {rate: 20mbit, delay: 5ms, loss: 1%}\nenforcement: process",
            "s.yaml:12:9: matrix.link",
            "processes pace rates only, not delay, jitter and loss",
        ),
    ],
)
def test_mistakes_have_their_place_and_remedy(old: str, new: str, prefix: str, remedy: str) -> None:
    actual = error_of(edited(old, new))

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("line", "prefix", "remedy"),
    [
        ("servr: root", "s.yaml:12:1: servr: ", "did you mean server?"),
        ("seed: [0, 1]", "s.yaml:12:1: seed: ", "there is no key 'seed' here (write it under matrix)"),
        ("link: 100mbit", "s.yaml:12:1: link: ", "(write it under matrix)"),
        ("epochs: 3", "s.yaml:12:1: epochs: ", "(write it under task or matrix)"),
        ("  threads: 2", "s.yaml:12:3: matrix.threads: ", "(write it at the top level)"),
        ("  sever: root", "s.yaml:12:3: matrix.sever: ", "did you mean server?"),
        ("server: none", "s.yaml:12:9: server: ", "'root' or 'sharded'"),
        ("backend: nccl", "s.yaml:12:10: backend: ", "use backend: gloo with device: cpu"),
        (
            "backend: nccl\ndevice: cuda\nenforcement: process",
            "s.yaml:14:14: enforcement: ",
            "process cannot pace nccl: it paces messages over Gloo alone; use enforcement: kernel, or backend: gloo",
        ),
        ("device: gpu", "s.yaml:12:9: device: ", "'cpu' or 'cuda'"),
        ("threads: 0", "s.yaml:12:10: threads: ", "greater than or equal to 1"),
        ("block_bytes: 25M", "s.yaml:12:14: block_bytes: ", "'25M' is not a size in bytes; write 25MB, or whole"),
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
        ("include: [{link: 5}]", "s.yaml:12:18: include[0].link: ", "write 5mbit"),
        ("x: &a [*a]", "s.yaml:12:4: ", "aliases repeat without end; write the values out"),
        ("x: !!python/object/apply:os.system [ls]", "s.yaml:12:4: x: ", "is not allowed; remove it"),
        ("name: again", "s.yaml:12:1: name: ", "the key appears twice (first at s.yaml:1:1); remove one"),
    ],
)
def test_mistakes_in_a_further_line_have_their_place_and_remedy(line: str, prefix: str, remedy: str) -> None:
    actual = error_of(f"{BASE}{line}\n")

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("assignment", "prefix", "remedy"),
    [
        ("task.epochs=0", "--set task.epochs=0: task.epochs: ", "greater than or equal to 1"),
        ("task.epoch=3", "--set task.epoch=3: task.epoch: ", "did you mean epochs?"),
        ("matrix.workers=[0]", "--set matrix.workers=[0]: matrix.workers", "greater than or equal to 1"),
        ("matrix.link=fast", "--set matrix.link=fast: matrix.link: ", "write a rate such as 100mbit"),
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


def test_a_field_of_the_scenario_among_the_options_of_a_method_is_refused_with_the_way_out() -> None:
    for name, option, way_out in (
        ("sparseloco", "server: root", "remove it: the method takes none"),
        ("liec", "server: root", "write it in the matrix"),
        ("liec", "block_order: forward", "write it at the top level of the scenario"),
        ("liec", "block_bytes: 1000", "write it at the top level of the scenario"),
        ("ddp_bf16", "block_order: forward", "remove it: the method takes none"),
    ):
        message = error_of(edited("[ddp, liec]", f"[ddp, {{name: {name}, {option}}}]"))
        key = option.partition(":")[0]

        assert message.startswith(f"s.yaml:9:{29 + len(name)}: matrix.algorithm[1].{key}: ")
        assert message.endswith(f"{name} has no option '{key}' ({way_out})")


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
