from typing import Any

import pytest
import torch

from liecbench.config import workload, workload_sizes
from liecbench.config.task import Task

OWN = "tests.own_tasks:"


def task(dataset: Any = "digits", model: Any = "mlp", batch_size: int = 8) -> Task:
    return Task.model_validate(
        {"dataset": dataset, "model": model, "batch_size": batch_size, "epochs": 1, "learning_rate": 0.1}
    )


def own(name: str) -> dict[str, str]:
    return {"dataset": OWN + name, "model": OWN + name}


def error_of(**changes: Any) -> tuple[str, str]:
    with pytest.raises(workload.WorkloadError) as raised:
        workload_sizes.sizes(task(**changes))
    return raised.value.field, str(raised.value)


@pytest.mark.parametrize(
    ("dataset", "model", "train", "test", "numel"),
    [
        ("digits", {"name": "mlp", "width": 8, "layers": 1}, 1437, 360, 64 * 8 + 8 + 8 * 10 + 10),
        # More numbers than a machine has room for.
        ("digits", {"name": "mlp", "width": 10**6, "layers": 2}, 1437, 360, 64 * 10**6 + 10**12 + 12 * 10**6 + 10),
        ("digits", OWN + "linear", 1437, 360, 650),
        ("digits", {"name": OWN + "with_any_options", "bias": False}, 1437, 360, 640),
        (OWN + "signs", OWN + "linear", 500, 100, 8),
        ({"name": OWN + "regression", "samples": 30}, {"name": OWN + "regression", "samples": 30}, 30, 100, 5),
        ({"name": "text", "characters": 6401}, {"name": "gpt", "width": 8, "layers": 1, "heads": 2}, 90, 10, None),
    ],
)
def test_sizes_are_those_of_data_and_model(dataset: Any, model: Any, train: int, test: int, numel: int | None) -> None:
    found = workload_sizes.sizes(task(dataset, model))

    assert (found.num_train_samples, found.num_test_samples) == (train, test)
    assert numel in (None, sum(shape.numel() for shape in found.parameters))


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"model": OWN + "five_outputs"}, "model", "it gives outputs of shape [2, 5] where [2, 10] are needed"),
        ({"model": OWN + "no_model"}, "model", "returned a str; return a torch.nn.Module"),
        ({"model": {"name": OWN + "raising", "width": 3}}, "model", "RuntimeError: no layer is 3 wide"),
        ({"model": OWN + "regression"}, "model", "returned a task with data of its own; remove dataset:"),
        ({"dataset": OWN + "linear", "model": OWN + "linear"}, "model", "cannot be made: TypeError"),
        ({"dataset": OWN + "no_model"}, "dataset", "returned a str; return a liecbench.tasks.base.Dataset"),
        ({"dataset": {"name": OWN + "signs", "highest": 2}}, "dataset", "has the label 2; 2 classes count from 0"),
        ({"dataset": {"name": OWN + "signs", "highest": -1}}, "dataset", "has the label -1; 2 classes count from 0"),
        ({"model": "gpt"}, "model", "gpt"),
        ({"dataset": "text"}, "model", "it cannot take inputs of shape [2, 64] and torch.int64"),
        ({"model": OWN + "normalised_over_the_batch", "batch_size": 1}, "model", "more than 1 value per channel"),
        ({"model": {"name": "mlp", "width": 10**10}}, "model", "mlp cannot be made"),
        ({"model": OWN + "two_outputs"}, "model", "gives a tuple; return a tensor from its forward"),
        ({"model": OWN + "with_a_spare_layer"}, "model", "no gradient reaches its parameter spare.weight; use it or"),
        (
            {"model": OWN + "with_slope"},
            "model",
            "in evaluation; compute gradients in its forward under torch.enable_grad()",
        ),
        ({"model": OWN + "in_double_precision"}, "model", "is torch.float64; make it torch.float32"),
        ({"model": OWN + "cached"}, "model", "returned the same model twice; make a new one in each call"),
        ({"model": OWN + "leaving"}, "model", "cannot be made: SystemExit: 2"),
        ({"dataset": OWN + "float_labels", "model": OWN + "linear"}, "dataset", "labels of torch.float32; make them"),
        ({"dataset": OWN + "no_file", "model": OWN + "linear"}, "dataset", "cannot be loaded: KeyError: 'images'"),
        ({"dataset": OWN + "leaving_data", "model": OWN + "linear"}, "dataset", "cannot be loaded: SystemExit: 1"),
        (
            {"model": OWN + "with_a_lazy_head_in_training"},
            "model",
            "the lazy parameter head.weight has no shape",
        ),
        (own("a_loss_for_each"), "model", "cannot be trained: RuntimeError: grad can be implicitly created only"),
        (own("accuracy_in_percent"), "model", "has the accuracy 100.0; return a number from 0 to 1"),
        (own("no_samples"), "model", "has 0 inputs and 0 labels; give every input a label, and some of both"),
    ],
)
def test_models_and_data_that_do_not_fit_are_refused(changes: dict[str, Any], field: str, message: str) -> None:
    actual = error_of(**changes)

    assert (field, True) == (actual[0], message in actual[1]), actual[1]


def test_a_function_with_its_own_data_brings_its_loss() -> None:
    own = {"name": OWN + "regression", "samples": 20}
    made = workload.build(task(own, own))
    inputs, labels = made.train.inputs, made.train.labels

    outputs = made.model(inputs).detach()

    assert float(made.loss(outputs, labels)) == pytest.approx(float(((outputs[:, 0] - labels) ** 2).mean()))
    assert workload.data_sha256(task(own, own)) is None


def test_checking_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    workload_sizes.sizes(task(model={"name": OWN + "linear", "bias": False}))

    assert torch.equal(before, torch.get_rng_state())


def test_the_hash_is_that_of_the_data() -> None:
    first, again, other = (
        workload.data_sha256(task({"name": "synthetic", "shape": [40], "train_samples": 64, "seed": seed}, model))
        for seed, model in ((0, "mlp"), (0, "cnn"), (1, "mlp"))
    )

    assert first == again != other
