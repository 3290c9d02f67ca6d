import pytest

from tests.scenarios import BASE, edited, error_of


@pytest.mark.parametrize(
    ("old", "new", "prefix", "remedy"),
    [
        ("epochs: 2", "epoch: 2", "s.yaml:6:3: task.epoch: ", "did you mean epochs?"),
        ("epochs: 2", "epochs: 2\n  workers: 2", "s.yaml:7:3: task.workers: ", "(write it under matrix)"),
        ("epochs: 2", "epochs: 2\n  backend: gloo", "s.yaml:7:3: task.backend: ", "(write it at the top level)"),
        ("[ddp, liec]", "{name: liec, task: {seed: 1}}", "s.yaml:9:34: matrix.algorithm.task.seed: ", "under matrix)"),
        ("name: example", "nane: example", "s.yaml:1:1: nane: ", "did you mean name?"),
        ("workers: [2]", "worker: [2]", "s.yaml:11:3: matrix.worker: ", "did you mean workers?"),
        ("epochs: 2", "epochs: true", "s.yaml:6:11: task.epochs: ", "true should be a whole number"),
        ("epochs: 2", "epochs: 2.0", "s.yaml:6:11: task.epochs: ", "2.0 should be a whole number"),
        ("epochs: 2", "epochs: '2'", "s.yaml:6:11: task.epochs: ", "'2' should be a whole number"),
        (
            "epochs: 2",
            "epochs: [1]",
            "s.yaml:6:11: task.epochs: ",
            "; to try several values, write the list under matrix",
        ),
        ("name: example", "name: 5", "s.yaml:1:7: name: ", "5 should be text; put it in quotes"),
        ("epochs: 2", "epochs:", "s.yaml:6:10: task.epochs: ", "no value; it should be a whole number"),
        ("epochs: 2", "epochs: 1_000", "s.yaml:6:11: task.epochs: ", "'1_000' should be a whole number; write 1000"),
        ("epochs: 2", "epochs: 1:30", "s.yaml:6:11: task.epochs: ", "'1:30' should be a whole number; write digits"),
        ("epochs: 2", "epochs: 0", "s.yaml:6:11: task.epochs: ", "at least 1"),
        ("[ddp, liec]", "", "s.yaml:9:13: matrix.algorithm: ", "there is no value; write a name"),
        (
            "name: example",
            "name: a/b",
            "s.yaml:1:7: name: ",
            "'a/b' should have only letters, digits, '.', '_' and '-', at most 100",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  schedule: {milestones: [1], factor: -1}",
            "s.yaml:7:39: task.schedule.factor: ",
            "-1 should be above 0",
        ),
        ("rate: 0.1", "rate: fast", "s.yaml:7:18: task.learning_rate: ", "'fast' should be a number"),
        ("rate: 0.1", "rate: '0.1'", "s.yaml:7:18: task.learning_rate: ", "'0.1' should be a number"),
        ("rate: 0.1", "rate: true", "s.yaml:7:18: task.learning_rate: ", "true should be a number"),
        ("rate: 0.1", "rate: 0.0", "s.yaml:7:18: task.learning_rate: ", "above 0"),
        ("rate: 0.1", "rate: .nan", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: .inf", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: 1e999", "s.yaml:7:18: task.learning_rate: ", "finite number"),
        ("rate: 0.1", "rate: 0.1\n  momentum: 1.0", "s.yaml:8:13: task.momentum: ", "below 1"),
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
        (
            "rate: 0.1",
            "rate: 0.1\n  schedule: {every: epoch, milestones: [1]}",
            "s.yaml:8:14: task.schedule.every: ",
            "(valid: factor, milestones, name, warmup_epochs, warmup_steps)",
        ),
        (
            "rate: 0.1",
            "rate: 0.1\n  schedule: {name: cosine, factor: 3}",
            "s.yaml:8:28: task.schedule.factor: ",
            "(valid: every, name, warmup_epochs, warmup_steps)",
        ),
        ("rate: 0.1", "rate: 0.1\n  schedule: {nam: cosine}", "s.yaml:8:14: task.schedule.nam: ", "did you mean name?"),
        ("rate: 0.1", "rate: 0.1\n  partition: even", "s.yaml:8:14: task.partition: ", "write iid, or {dirichlet"),
        ("rate: 0.1", "rate: 0.1\n  partition: {dirichlet: 0}", "s.yaml:8:26: task.partition.dirichlet: ", "above 0"),
        ("rate: 0.1", "rate: 0.1\n  partition: {dirchlet: 1}", "s.yaml:8:15: task.partition.dirchlet: ", "dirichlet?"),
        ("workers: [2]", "workers: [2, 0]", "s.yaml:11:16: matrix.workers[1]: ", "at least 1"),
        ("workers: [2]", "workers: 0", "s.yaml:11:12: matrix.workers: ", "at least 1"),
        ("workers: [2]", "workers: []", "s.yaml:11:12: matrix.workers: ", "[] is empty; give at least one value"),
        ("workers: [2]", "workers: [2]\n  seed: [-1]", "s.yaml:12:10: matrix.seed[0]: ", "at least 0"),
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
            "at least 1",
        ),
        ("name: example\n", "", "s.yaml:1:1: name: ", "the key is missing; add it"),
        ("name: example", "name: ../up", "s.yaml:1:7: name: ", "'../up'"),
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
        ("device: gpu", "s.yaml:12:9: device: ", "'cpu' or 'cuda'"),
        ("threads: 0", "s.yaml:12:10: threads: ", "at least 1"),
        ("block_bytes: 25M", "s.yaml:12:14: block_bytes: ", "'25M' is not a size in bytes; write 25MB, or whole"),
        ("block_bytes: 0", "s.yaml:12:14: block_bytes: ", "at least 1"),
        ("target_accuracy: 90", "s.yaml:12:18: target_accuracy: ", "at most 1"),
        ("target_accuracy: .nan", "s.yaml:12:18: target_accuracy: ", "finite number"),
        ("exclude: {algorithm: ddp}", "s.yaml:12:10: exclude: ", "should be a list"),
        ("exclude: [{algoritm: ddp}]", "s.yaml:12:12: exclude[0].algoritm: ", "did you mean algorithm?"),
        ("include: [{workers: 0}]", "s.yaml:12:21: include[0].workers: ", "at least 1"),
        ("include: [{link: 5}]", "s.yaml:12:18: include[0].link: ", "write 5mbit"),
    ],
)
def test_mistakes_in_a_further_line_have_their_place_and_remedy(line: str, prefix: str, remedy: str) -> None:
    actual = error_of(f"{BASE}{line}\n")

    assert (prefix, True) == (actual[: len(prefix)], remedy in actual)


@pytest.mark.parametrize(
    ("assignment", "prefix", "remedy"),
    [
        ("task.epochs=0", "--set task.epochs=0: task.epochs: ", "at least 1"),
        ("task.epoch=3", "--set task.epoch=3: task.epoch: ", "did you mean epochs?"),
        ("matrix.workers=[0]", "--set matrix.workers=[0]: matrix.workers", "at least 1"),
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
