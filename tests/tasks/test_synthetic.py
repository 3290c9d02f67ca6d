import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from liecbench.tasks.base import Examples
from liecbench.tasks.synthetic import Synthetic, accuracy_at, separation


@pytest.mark.parametrize(("shape", "classes"), [([3, 32, 32], 10), ([20], 3), ([2, 4, 5, 3], 7)])
def test_images_have_the_requested_shape(shape: list[int], classes: int) -> None:
    train, test = Synthetic(shape=shape, classes=classes, train_samples=300, test_samples=100).load()

    assert [tuple(part.inputs.shape) for part in (train, test)] == [(300, *shape), (100, *shape)]
    assert set(train.labels.tolist()) == set(range(classes))
    assert 0.5 < float(train.inputs.std()) < 2


def test_the_best_accuracy_of_two_classes_is_that_of_the_normal_distribution() -> None:
    # Means at a right angle and of length s are s·√2 apart: half of that is s/√2, and the best accuracy Φ(s/√2).
    for length in (0.5, 1.0, 3.0):
        expected = 0.5 * (1 + math.erf(length / math.sqrt(2) / math.sqrt(2)))

        assert pytest.approx(expected, abs=1e-12) == accuracy_at(length, 2)


@pytest.mark.parametrize("num_classes", [2, 10, 200])
@pytest.mark.parametrize("best", [0.6, 0.95, 0.999])
def test_the_separation_gives_the_accuracy(num_classes: int, best: float) -> None:
    assert pytest.approx(best, abs=1e-9) == accuracy_at(separation(num_classes, best), num_classes)


def nearest_mean_accuracy(train: Examples, test: Examples) -> float:
    """Return the test accuracy of the nearest-mean classifier, with the means of the training data."""
    means = torch.stack([train.inputs[train.labels == label].flatten(1).mean(0) for label in range(10)])
    distances = torch.cdist(test.inputs.flatten(1), means)
    return float((distances.argmin(1) == test.labels).double().mean())


@pytest.mark.parametrize("best", [0.7, 0.95])
def test_the_best_accuracy_is_reached_and_not_passed(best: float) -> None:
    train, test = Synthetic(shape=[3, 8, 8], best_accuracy=best, train_samples=20000, test_samples=20000).load()
    deviation = math.sqrt(best * (1 - best) / 20000)

    # What 2000 samples leave unknown of each mean costs a little; more than the best would be more than chance gives.
    assert best - 0.01 < nearest_mean_accuracy(train, test) < best + 4 * deviation


def test_the_seed_decides_the_data() -> None:
    first, again, other = (
        Synthetic(shape=[3, 8, 8], train_samples=50, test_samples=10, seed=seed).load()[0] for seed in (1, 1, 2)
    )

    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_sums_are_exact_in_any_order() -> None:
    """Every number is a multiple of one step, times a scale: no rounding of a sum has a say in it."""
    train, _ = Synthetic(shape=[3, 8, 8], train_samples=50, test_samples=10).load()
    scale = math.sqrt(192 / 64) / 2**24
    steps = train.inputs.double().numpy() / scale
    # A float32 has 24 bits: below 2^20 steps it tells a whole number from any other.
    small = steps[np.abs(steps) < 2**20]

    assert len(small) > 100
    assert np.abs(small - np.round(small)).max() < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": [3], "classes": 3}, "has room for fewer than 3 classes; enlarge it"),
        ({"best_accuracy": 0.1}, "best_accuracy 0.1 is what guessing reaches; raise it"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Synthetic(**options)  # type: ignore[arg-type]
