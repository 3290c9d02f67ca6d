"""The dataset Digits: 1797 real images of 8×8 pixels that come with scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from pydantic.dataclasses import dataclass

from liecbench.tasks.base import Dataset, Examples

_TEST_EVERY = 5


@dataclass(frozen=True)
class Digits(Dataset):
    """8×8 images of handwritten digits (scikit-learn's copy of UCI's): 1437 to train, 360 held out, stratified."""

    @property
    def num_classes(self) -> int:
        """10, one class per digit."""
        return 10

    def load(self) -> tuple[Examples, Examples]:
        """Return training and test images, float32 of shape ``[n, 1, 8, 8]`` with values in [0, 1].

        With all images sorted by class, every fifth is a test image.
        """
        table = np.loadtxt(_file(), delimiter=",", dtype=np.float32)
        inputs = torch.from_numpy(table[:, :-1] / 16).view(-1, 1, 8, 8)
        labels = torch.from_numpy(table[:, -1].astype(np.int64))
        by_class = torch.from_numpy(np.argsort(table[:, -1], kind="stable"))
        held_out = torch.zeros(len(labels), dtype=torch.bool)
        held_out[by_class[::_TEST_EVERY]] = True
        train = Examples(inputs=inputs[~held_out], labels=labels[~held_out])
        return train, Examples(inputs=inputs[held_out], labels=labels[held_out])


def _file() -> Path:
    # The package is found, not imported, because importing sklearn takes every rank more than a second.
    package = importlib.util.find_spec("sklearn")
    assert package is not None, "scikit-learn is a dependency"
    assert package.submodule_search_locations is not None, "scikit-learn is a package"
    return Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
