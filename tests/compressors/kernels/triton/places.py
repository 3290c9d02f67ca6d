"""The places where GPU kernels can run: on a GPU, or else in Triton's interpreter, on CPU tensors."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import pytest
import torch
from torch import Tensor

from liecbench.compressors.kernels import dispatch


@dataclass(frozen=True)
class Place:
    """A device whose tensors GPU kernels take."""

    device: str

    def put(self, tensor: Tensor) -> Tensor:
        """Return a copy of ``tensor`` on the device."""
        return tensor.to(self.device, copy=True)

    @contextlib.contextmanager
    def kernels(self) -> Iterator[None]:
        """Make compressors use their GPU kernels, for CPU tensors too in the interpreter."""
        if self.device != "cpu":
            yield
            return
        with mock.patch.object(dispatch, "is_on_cpu", return_value=False):
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
