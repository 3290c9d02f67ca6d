import copy
import io
import random
from collections import Counter, defaultdict, deque
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from liecbench.worker.module_state import restore_unsaved_state, unsaved_state


class Layer(nn.Linear):
    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__(2, 2)
        self.counts = counts


class Counted(nn.Module):
    """Two layers that share a dict, a view of a parameter, and what only the first batch decides."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = {"step": 0}
        self.first, self.second = Layer(self.counts), Layer(self.counts)
        self.view = self.first.weight.data
        self.seen: list[int] = []
        self.shape: torch.Size | None = None
        self.random: torch.Generator | None = None

    def step(self) -> None:
        self.counts["step"] += 1
        self.seen.append(7)
        self.shape = torch.Size((3, 2))
        self.random = torch.Generator().manual_seed(5)
        with torch.no_grad():
            self.view.fill_(4.0)


def saved_and_loaded(value: object) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture
def resumed() -> Counted:
    """Return a new model into which the saved state of a trained one was loaded."""
    trained, fresh = Counted(), Counted()
    trained.step()
    parameters, others = saved_and_loaded((trained.state_dict(), unsaved_state(trained)))
    fresh.load_state_dict(parameters)
    restore_unsaved_state(fresh, others)
    return fresh


def test_what_the_first_batch_decided_is_restored(resumed: Counted) -> None:
    assert (resumed.shape, resumed.seen, resumed.counts) == (torch.Size((3, 2)), [7], {"step": 1})
    assert resumed.random is not None
    assert resumed.random.initial_seed() == 5


def test_what_two_modules_share_stays_shared(resumed: Counted) -> None:
    assert resumed.counts is resumed.first.counts is resumed.second.counts
    with torch.no_grad():
        resumed.first.weight.fill_(9.0)
    assert resumed.view.tolist() == [[9.0, 9.0], [9.0, 9.0]]


def test_the_state_is_not_changed_by_restoring_it(resumed: Counted) -> None:
    state = unsaved_state(resumed)
    before = copy.deepcopy(state[""]["attributes"]["seen"])
    resumed.step()
    restore_unsaved_state(resumed, state)

    assert resumed.seen == before


def generators(seed: int) -> dict[str, Any]:
    return {
        "torch": torch.Generator().manual_seed(seed),
        "pcg": np.random.default_rng(seed),
        "philox": np.random.Generator(np.random.Philox(seed)),
        "twister": np.random.Generator(np.random.MT19937(seed)),
        "legacy": np.random.RandomState(seed),
        "python": random.Random(seed),
        "system": random.SystemRandom(),
    }


def draws(model: Any) -> list[float]:
    model.pcg.integers(9, dtype=np.int32)  # uses half of what the generator draws, and keeps the other half
    arrays = [generator.standard_normal() for generator in (model.pcg, model.philox, model.twister, model.legacy)]
    return [float(torch.randn((), generator=model.torch)), *map(float, arrays), model.python.gauss(0, 1)]


@pytest.mark.parametrize("has_generators", [True, False])
def test_random_generators_go_on(*, has_generators: bool) -> None:
    trained: Any = nn.Linear(1, 1)
    fresh: Any = nn.Linear(1, 1)
    vars(trained).update(generators(3))
    vars(fresh).update(generators(4) if has_generators else {})
    before = dict(vars(fresh))
    draws(trained)
    restore_unsaved_state(fresh, saved_and_loaded(unsaved_state(trained)))

    assert draws(fresh) == draws(trained)
    assert all(vars(fresh)[name] is value for name, value in before.items())


class Keeping(nn.Linear):
    """Keeps numbers in collections and arrays."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.recent, self.calls = deque([1, 2], maxlen=2), Counter(a=1)
        self.by_name: defaultdict[str, list[int]] = defaultdict(list)
        self.sums, self.empty, self.fixed = np.zeros((2, 3)), np.zeros(0), np.ones(2)
        self.fixed.flags.writeable = False
        self.late: Any = None

    def step(self) -> None:
        self.recent.append(3)
        self.calls["b"] += 2
        self.by_name["c"].append(4)
        self.sums += np.arange(3)
        self.late = np.array([1 + 2j])


def test_collections_and_arrays_are_restored_in_place() -> None:
    trained, fresh = Keeping(), Keeping()
    trained.step()
    recent, sums = fresh.recent, fresh.sums
    restore_unsaved_state(fresh, saved_and_loaded(unsaved_state(trained)))

    assert (list(fresh.recent), fresh.recent.maxlen, fresh.recent is recent) == ([2, 3], 2, True)
    assert (fresh.calls, fresh.by_name) == (Counter(a=1, b=2), {"c": [4]})
    assert fresh.by_name["other"] == []
    assert (fresh.sums.tolist(), fresh.sums is sums) == ([[0, 1, 2], [0, 1, 2]], True)
    assert (fresh.empty.shape, fresh.fixed.tolist(), fresh.late.tolist()) == ((0,), [1, 1], [1 + 2j])
