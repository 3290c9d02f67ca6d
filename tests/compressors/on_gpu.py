"""The GPU kernels where they can be tried: on a GPU, or without one on the CPU's memory in Triton's interpreter."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import pytest
import torch
from torch import Tensor

from liecbench.compressors import base


@dataclass(frozen=True)
class Place:
    """Where GPU kernels run."""

    device: str

    def put(self, tensor: Tensor) -> Tensor:
        """A copy there."""
        return tensor.to(self.device, copy=True)

    @contextlib.contextmanager
    def kernels(self) -> Iterator[None]:
        """Compressors take their GPU kernels here."""
        if self.device != "cpu":
            yield
            return
        with mock.patch.object(base, "on_host", return_value=False):
            yield


places = pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            Place("cpu"), id="interpreter", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
        ),
        pytest.param(Place("cuda"), id="gpu", marks=pytest.mark.gpu),
    ],
)
