import functools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from liecbench.worker.undone_passes import undone


@dataclass(slots=True)
class Counter:
    calls: int = 0


class Changing(nn.Module):
    """Changes all kinds of state in each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("absent", None)
        self.register_buffer("grown", torch.zeros(1))
        self.flag, self.numbers, self.names = False, [1], {"a"}
        self.recent: deque[float] = deque([1.0], maxlen=2)
        self.nested: dict[str, Any] = {"inner": [torch.zeros(2)], "array": np.zeros(2)}
        self.counter = Counter()
        self.generators: Any = (torch.Generator(), np.random.default_rng(1), random.Random(1))
        captured: list[int] = []
        self.captured: Any = lambda: captured.append(1)
        self.length = lambda: len(captured)
        self.bound = functools.partial(self.numbers.append, 7)

    def forward(self, inputs: Tensor) -> Tensor:
        self.absent = torch.ones(1)
        self.grown = torch.ones(len(self.numbers) + 1)
        self.layer.weight.data = self.layer.weight.data + 1
        with torch.no_grad():
            self.layer.bias.zero_()
        self.layer.eval()
        self.flag, self.new = True, object()
        self.numbers.append(2)
        self.names.add("b")
        self.recent.append(2.0)
        self.nested["inner"].append(self.nested["inner"][0].add_(1))
        self.nested["array"] += 1
        self.counter.calls += 1
        self.captured()
        self.bound()
        for generator in self.generators[1:]:
            generator.random()
        noise = torch.rand(1, generator=self.generators[0]) + random.random() + float(np.random.random())
        outputs: Tensor = self.layer(inputs) + noise
        return outputs


def state(model: Any) -> list[object]:
    """Return all that a pass changes, as values that can be compared."""
    tensor, array, python = model.generators
    return [
        {name: value.tolist() for name, value in model.state_dict().items()},
        (
            model.absent is None,
            model.flag,
            model.numbers[:],
            set(model.names),
            list(model.recent),
            hasattr(model, "new"),
        ),
        ([value.tolist() for value in model.nested["inner"]], model.nested["array"].tolist()),
        (model.counter.calls, model.length(), model.layer.training),
        (tensor.get_state().tolist(), array.bit_generator.state, python.getstate()),
        (random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tolist()),
    ]


def test_a_pass_leaves_no_trace() -> None:
    model: Any = Changing()
    before, weight, numbers = state(model), model.layer.weight, model.numbers
    with undone(model):
        model(torch.zeros(1, 2)).sum().backward()
        changed = state(model)

    assert all(one != other for one, other in zip(before, changed, strict=True))
    assert state(model) == before
    assert (model.layer.weight is weight, model.numbers is numbers) == (True, True)


def zero_values(tensor: Tensor) -> None:
    (tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()).zero_()


def replace_by(dense: Tensor) -> Callable[[Tensor], None]:
    def replace(tensor: Tensor) -> None:
        tensor.data = dense.to_sparse(layout=tensor.layout)

    return replace


@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta:UserWarning")
@pytest.mark.parametrize(
    ("layout", "change"),
    [
        (torch.sparse_coo, zero_values),
        (torch.sparse_coo, replace_by(torch.ones(3, 3))),
        (torch.sparse_coo, replace_by(torch.zeros(1, 1))),
        (torch.sparse_csr, zero_values),
        (torch.sparse_csr, replace_by(torch.ones(3, 3))),
        (torch.sparse_csc, zero_values),
    ],
    ids=["coo values", "larger coo", "smaller coo", "csr values", "larger csr", "csc values"],
)
def test_sparse_tensors_are_restored(layout: torch.layout, change: Callable[[Tensor], None]) -> None:
    model: Any = nn.Linear(1, 1)
    model.mask = mask = torch.eye(2).to_sparse(layout=layout)
    with undone(model):
        change(mask)
        changed = mask.to_dense().tolist()

    assert changed != [[1, 0], [0, 1]]
    assert (model.mask is mask, mask.to_dense().tolist()) == (True, [[1, 0], [0, 1]])


def test_read_only_arrays_are_restored() -> None:
    model: Any = nn.Linear(1, 1)
    model.constant, model.frozen, model.thawed = np.arange(2.0), np.zeros(2), np.ones(2)
    model.view = np.broadcast_to(np.ones(1), 2)
    for array in (model.constant, model.thawed):
        array.flags.writeable = False
    with undone(model):
        model.frozen += 1
        model.frozen.flags.writeable = False
        model.thawed.flags.writeable = True
        model.thawed += 1

    arrays = (model.constant, model.frozen, model.thawed, model.view)
    assert [array.tolist() for array in arrays] == [[0, 1], [0, 0], [1, 1], [1, 1]]
    assert [array.flags.writeable for array in arrays] == [False, True, False, False]


def test_a_pass_that_fails_leaves_no_trace() -> None:
    model: Any = Changing()
    before = state(model)
    with pytest.raises(RuntimeError), undone(model):
        model(torch.zeros(1, 3))

    assert state(model) == before


def test_objects_that_refer_to_each_other_are_remembered_once() -> None:
    model: Any = nn.Linear(1, 1)
    model.extra_list = [model, {"model": model}]
    model.extra_list.append(model.extra_list)
    with undone(model):
        model.extra_list.clear()

    assert len(model.extra_list) == 3


def test_a_generator_of_the_operating_system_is_left_alone() -> None:
    model: Any = nn.Linear(1, 1)
    model.random = random.SystemRandom()
    with undone(model):
        model.random.random()


def test_parameters_that_the_body_changes_are_told_and_others_are_not_copied() -> None:
    model: Any = nn.ParameterDict({name: torch.ones(2) for name in ("added", "set", "replaced", "same", "given up")})
    with torch.no_grad(), undone(model) as changed:
        model["added"].add_(0)
        model["set"].data.zero_()
        model["replaced"].data = torch.zeros(3)
    with undone(model, parameters=[model["same"]]):
        model["given up"].data.zero_()

    assert {name for name, parameter in model.items() if parameter in changed} == {"added", "set", "replaced"}
    assert [name for name, value in model.items() if value.tolist() != [1, 1]] == ["given up"]
