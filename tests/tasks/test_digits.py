import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from liecbench.tasks.base import Examples
from liecbench.tasks.digits import Digits


@pytest.fixture(scope="module")
def split() -> tuple[Examples, Examples]:
    return Digits().load()


def test_the_images_are_scikit_learns(split: tuple[Examples, Examples]) -> None:
    expected = load_digits()
    images = torch.cat([part.inputs for part in split]).view(-1, 64).numpy() * 16
    labels = torch.cat([part.labels for part in split]).numpy()
    ours = np.concatenate([images, labels[:, None]], axis=1)
    theirs = np.concatenate([expected.data, expected.target[:, None]], axis=1)

    assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


def test_the_split_is_stratified(split: tuple[Examples, Examples]) -> None:
    train, test = split
    all_labels = torch.cat([train.labels, test.labels])

    assert (len(train), len(test)) == (1437, 360)
    for held_out, whole in zip(test.labels.bincount(), all_labels.bincount(), strict=True):
        assert abs(float(held_out) - float(whole) / 5) < 1


def test_images_are_scaled_and_labels_count_from_0(split: tuple[Examples, Examples]) -> None:
    train, _ = split

    assert train.inputs.shape[1:] == (1, 8, 8)
    assert int(train.labels.max()) + 1 == Digits().num_classes
    assert (float(train.inputs.min()), float(train.inputs.max())) == (0.0, 1.0)
