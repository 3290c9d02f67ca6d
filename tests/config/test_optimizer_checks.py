"""Optimizers that a scenario cannot have: the place of the mistake, the reason, and what to write instead."""

import pytest
import yaml

from liecbench.config.cell import Cell
from tests.scenarios import BASE, edited, error_of, scenario

RATE = "rate: 0.1"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (RATE, "rate: 0.1\n  optimizer: adamv", "s.yaml:8:14: task.optimizer.name: ", "did you mean adamw?"),
        (
            RATE,
            "rate: 0.1\n  optimizer: {name: adamw, beta: 1}",
            "s.yaml:8:28: task.optimizer.beta: ",
            "adamw has no option 'beta' (did you mean betas?)",
        ),
        (
            RATE,
            "rate: 0.1\n  optimizer: {name: adamw, betas: [0.9]}",
            "s.yaml:8:28: task.optimizer.betas: ",
            "[0.9] has too few values; give 2",
        ),
        (
            RATE,
            "rate: 0.1\n  optimizer: {name: adamw, weight_decay: 0.1}\n  weight_decay: 0.2",
            "s.yaml:9:17: task.weight_decay: ",
            "0.2 here and 0.1 in optimizer; write weight_decay once",
        ),
        (
            RATE,
            "rate: 0.1\n  optimizer: adamw\n  momentum: 0.9",
            "s.yaml:9:13: task.momentum: ",
            "adamw has no momentum; remove it, or write it as an option of the optimizer that has it: optimizer: "
            "{name: sgd, momentum: 0.9}",
        ),
        (
            RATE,
            "rate: 0.1\n  optimizer: {name: sgd, nesterov: true}",
            "s.yaml:8:14: task.optimizer: ",
            "nesterov needs a momentum; add momentum: 0.9, or remove nesterov",
        ),
        (RATE, "rate: 0.1\n  clip_grad_norm: 0", "s.yaml:8:19: task.clip_grad_norm: ", "should be above 0"),
        (RATE, "rate: 0.1\n  accumulate: 0", "s.yaml:8:15: task.accumulate: ", "should be at least 1"),
        ("batch_size: 32", "batch_size: 719", "s.yaml:5:15: task.batch_size: ", "lower batch_size or workers"),
        (
            RATE,
            "rate: 0.1\n  accumulate: 50",
            "s.yaml:5:15: task.batch_size: ",
            "lower batch_size, accumulate or",
        ),
        (
            RATE,
            "rate: 0.1\n  schedule: {name: linear}",
            "s.yaml:8:13: task.schedule: ",
            "'linear' is no schedule; write cosine, or",
        ),
        (
            RATE,
            "rate: 0.1\n  schedule: {name: cosine, warmup_steps: 44}",
            "s.yaml:8:13: task.schedule: ",
            "the learning rate warms up for 44 steps, and the training has 44; lower warmup_steps",
        ),
        (
            RATE,
            "rate: 0.1\n  schedule: {name: cosine, warmup_steps: 4, warmup_epochs: 1}",
            "s.yaml:8:13: task.schedule: ",
            "warmup_steps and warmup_epochs are both given; remove one of the two",
        ),
        (
            RATE,
            "rate: 0.1\n  schedule: {name: cosine, warmup_step: 4}",
            "s.yaml:8:28: task.schedule.warmup_step: ",
            "did you mean warmup_steps?",
        ),
        (
            "model: mlp\n  batch_size: 32\n  epochs: 2\n  learning_rate: 0.1",
            "model: {name: mlp, layers: 0}\n  batch_size: 32\n  epochs: 2\n  learning_rate: 0.1\n  optimizer: muon",
            "s.yaml:8:14: task.optimizer: ",
            "mlp has no linear layer but its output layer, and muon trains the matrices of such layers; use adamw or",
        ),
        (
            "rate: 0.1\nmatrix:\n  algorithm: [ddp, liec]",
            "rate: 0.1\n  momentum: 0.9\nmatrix:\n  algorithm: [ddp, dgc]",
            "s.yaml:8:13: task.momentum: ",
            "dgc is not defined with sgd: it keeps the momentum itself, and the optimizer would apply one a second",
        ),
        (
            "[ddp, liec]",
            "[ddp, {name: cser, task: {optimizer: adamw}}]",
            "s.yaml:9:51: matrix.algorithm[1].task.optimizer: ",
            "cser is not defined with adamw: it brings models together by averaging its errors",
        ),
        (
            "[ddp, liec]",
            "[ddp, {name: cser, task: {clip_grad_norm: 1.0}}]",
            "s.yaml:9:56: matrix.algorithm[1].task.clip_grad_norm: ",
            "not to clip: {name: cser, task: {clip_grad_norm: null}}",
        ),
        (
            "[ddp, liec]",
            "[ddp, {name: neolithic, accumulate: true, task: {accumulate: 2}}]",
            "s.yaml:9:75: matrix.algorithm[1].task.accumulate: ",
            "neolithic accumulates 2 minibatches per step itself; give it {name: neolithic, task: {accumulate: 1}}",
        ),
    ],
)
def test_mistakes_have_their_place_and_remedy(old: str, new: str, place: str, message: str) -> None:
    error = error_of(edited(old, new))

    assert (error[: len(place)], message in error) == (place, True), error


@pytest.mark.parametrize(
    ("method", "remedy"),
    [
        ("signsgd", "lower the learning rate instead; not to clip: {name: signsgd, task: {clip_grad_norm: null}}"),
        ("demo", "lower the learning rate instead; not to clip: {name: demo, task: {clip_grad_norm: null}}"),
        ("onebit_adam", "lower the learning rate, or take a larger eps; not to clip: {name: onebit_adam, task: "),
        ("dgc", "give the method the option clip_norm, by which each worker clips its own gradient; not to clip: "),
        ("cser", "leave its update as it is, or take liec, which can be clipped; not to clip: {name: cser, task: "),
    ],
)
def test_methods_whose_updates_are_no_gradients_refuse_clipping(method: str, remedy: str) -> None:
    error = error_of(edited("[ddp, liec]", f"[ddp, {{name: {method}, task: {{clip_grad_norm: 1.0}}}}]"))

    assert (f"{method} is not defined with clipped updates: " in error, remedy in error) == (True, True), error


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_ddp_liec_and_local_sgd_take_every_optimizer_clipped_and_accumulated(optimizer: str) -> None:
    text = edited(RATE, f"rate: 0.1\n  optimizer: {optimizer}\n  clip_grad_norm: 1.0\n  accumulate: 2")

    assert len(scenario(text.replace("[ddp, liec]", "[ddp, liec, local_sgd]")).cells()) == 3


def cell_of(text: str) -> Cell:
    return scenario(text).cells()[0]


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ("optimizer: sgd", {"momentum": 0.0, "weight_decay": 0.0}),
        ("optimizer: {name: sgd, momentum: 0.9}", {"momentum": 0.9, "weight_decay": 0.0}),
        ("momentum: 0.9\n  optimizer: {name: sgd, dampening: 0.0}", {"momentum": 0.9, "weight_decay": 0.0}),
        (
            "momentum: 0.9\n  optimizer: {name: sgd, nesterov: true}",
            {"momentum": 0.9, "weight_decay": 0.0, "optimizer": {"name": "sgd", "nesterov": True}},
        ),
        (
            "optimizer: adamw",
            {
                "momentum": 0.0,
                "weight_decay": 0.01,
                "optimizer": {"name": "adamw", "betas": [0.9, 0.999], "eps": 1e-8, "amsgrad": False},
            },
        ),
    ],
)
def test_momentum_and_weight_decay_are_stored_as_fields_of_the_task(fields: str, stored: object) -> None:
    cell = cell_of(edited(RATE, f"rate: 0.1\n  {fields}"))
    spec = cell.spec()["task"]

    assert {name: spec[name] for name in ("momentum", "weight_decay", "optimizer") if name in spec} == stored
    assert Cell.from_spec(cell.spec()).id == cell.id
    assert "clip_grad_norm" not in spec
    assert "accumulate" not in spec


def test_a_cell_with_sgd_has_the_id_that_it_had_without_an_optimizer() -> None:
    plain = cell_of(BASE)
    written = cell_of(edited(RATE, "rate: 0.1\n  optimizer: {name: sgd, momentum: 0.0}\n  accumulate: 1"))

    assert plain.id == written.id


def test_an_exclusion_by_the_optimizers_options_finds_the_cells() -> None:
    axes = "optimizer: [sgd, {name: adamw, weight_decay: 0.1}, {name: adamw, weight_decay: 0.2}]"
    text = edited("algorithm: [ddp, liec]", f"algorithm: [ddp, liec]\n  {axes}")
    kept = scenario(f"{text}exclude: [{{algorithm: liec, optimizer: {{name: adamw, weight_decay: 0.1}}}}]\n").cells()

    assert [(cell.algorithm.name, cell.task.weight_decay) for cell in kept] == [
        *(("ddp", 0.0), ("liec", 0.0), ("ddp", 0.1)),
        *(("ddp", 0.2), ("liec", 0.2)),
    ]


def test_what_a_scenario_stores_gives_the_same_cells_again() -> None:
    own = "{optimizer: {name: sgd, nesterov: true, momentum: 0.9}, schedule: null, clip_grad_norm: null}"
    text = edited(RATE, "rate: 0.1\n  optimizer: adamw\n  clip_grad_norm: 1.0\n  schedule: {warmup_steps: 4}")
    one = scenario(text.replace("[ddp, liec]", f"[ddp, {{name: cser, task: {own}}}]"))

    assert scenario(yaml.safe_dump(one.stored())).cells() == one.cells()
    assert {cell.task.clip_grad_norm for cell in one.cells()} == {None, 1.0}
