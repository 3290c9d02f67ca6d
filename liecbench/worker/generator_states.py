"""The states of random generators as plain data, which ``torch.load`` reads with ``weights_only=True``."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

Generator = torch.Generator | np.random.Generator | np.random.RandomState | random.Random


def is_generator(value: object) -> bool:
    """Return True if ``value`` is a random generator with a state.

    ``random.SystemRandom``, which asks the operating system for random numbers, has none.
    """
    return isinstance(value, Generator) and not isinstance(value, random.SystemRandom)


def state_of(generator: Generator) -> Any:
    """Return the state of a generator: a tensor for ``torch.Generator``, a dict for a generator of NumPy or Python."""
    match generator:
        case torch.Generator():
            return generator.get_state()
        case np.random.Generator():
            return {"kind": "generator", "state": as_plain(generator.bit_generator.state)}
        case np.random.RandomState():
            return {"kind": "random_state", "state": as_plain(generator.get_state(legacy=False))}
        case _:
            return {"kind": "python", "state": generator.getstate()}


def generator_with(state: Any, found: object, device: torch.device) -> Generator:
    """Set a random generator's state to ``state``, and return the generator: ``found`` if suitable, else a new one.

    Args:
        state: A result of ``state_of``.
        found: Any object. A generator of the kind that ``state`` was taken from, such as ``torch.Generator``, is
            suitable.
        device: The device of a new ``torch.Generator``. Not used for other kinds of generators.
    """
    if isinstance(state, Tensor):
        torchs = found if isinstance(found, torch.Generator) else torch.Generator(device)
        torchs.set_state(state)
        return torchs
    match state["kind"]:
        case "generator":
            numbers = from_plain(state["state"])
            kind = getattr(np.random, numbers["bit_generator"])
            if not (isinstance(found, np.random.Generator) and type(found.bit_generator) is kind):
                found = np.random.Generator(kind())
            found.bit_generator.state = numbers
        case "random_state":
            found = found if isinstance(found, np.random.RandomState) else np.random.RandomState()
            found.set_state(from_plain(state["state"]))
        case _:
            found = found if isinstance(found, random.Random) else random.Random()  # noqa: S311 - no secret
            found.setstate(state["state"])
    return found


def as_plain(value: Any) -> Any:
    """Return ``value`` with all NumPy arrays and numbers in it converted to plain data.

    ``torch.load`` reads plain data with ``weights_only=True``. An array becomes a dict with its dtype, shape and bytes.
    """
    match value:
        case dict():
            return {key: as_plain(item) for key, item in value.items()}
        case np.ndarray():
            # As bytes, because torch has only some operations for unsigned integers.
            return {
                "dtype": value.dtype.str,
                "shape": value.shape,
                "bytes": torch.from_numpy(np.frombuffer(value.tobytes(), np.uint8).copy()),
            }
        case np.generic():
            return value.item()
    return value


def from_plain(value: Any) -> Any:
    """Undo ``as_plain``: return ``value`` with NumPy arrays in place of the dicts that stand for them."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"dtype", "shape", "bytes"}:
        return np.frombuffer(value["bytes"].numpy().tobytes(), value["dtype"]).reshape(value["shape"]).copy()
    return {key: from_plain(item) for key, item in value.items()}
