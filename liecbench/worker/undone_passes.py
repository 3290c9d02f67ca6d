"""Forward and backward passes that do not train: their changes to a model are undone.

A pass can change more than gradients, for example running statistics, a counter in a plain attribute, or the model's
own random generator. ``undone`` saves the state of a model's Python objects, and restores it in these same objects.
"""

import functools
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from liecbench.worker.global_generators import generator_states, set_generator_states

Restore = Callable[[], None]
# Objects of these packages hold no state of a model's own, except modules, tensors and generators.
_NOT_OWN: Final = {*sys.stdlib_module_names, "torch", "numpy", "liecbench"}
_UNSEEN: Final = (type, types.ModuleType, types.BuiltinFunctionType, str, bytes, int, float, complex, type(None))


@contextmanager
def undone(model: nn.Module, *, parameters: Collection[nn.Parameter] | None = None) -> Iterator[set[nn.Parameter]]:
    """Undo the effects of the ``with`` body on ``model``, and on the global random generators of Python and NumPy.

    Torch's global generators are not restored; use ``device.rng_states`` and ``device.set_rng_states`` for them.

    Args:
        model: The model, without DistributedDataParallel.
        parameters: The parameters that the body may change; None for all. Copies of them are made.

    Yields:
        A set. After the body, it contains those of ``parameters`` that the body changed.
    """
    states = generator_states()
    memory = _Memory(set(model.parameters() if parameters is None else parameters))
    memory.remember(model)
    try:
        yield memory.changed
    finally:
        memory.restore()
        set_generator_states(states)


class _Memory:
    """The remembered contents of all objects that can be reached from a model."""

    def __init__(self, parameters: set[nn.Parameter]) -> None:
        self._parameters = parameters
        self._restores: list[Restore] = []
        self.changed: set[nn.Parameter] = set()

    def remember(self, root: object) -> None:
        """Remember the contents of ``root``, such as a model, and of all objects that can be reached from ``root``."""
        # The objects are kept alive, so that no other object can get the id of one.
        seen: dict[int, object] = {}
        left: list[object] = [root]
        while left:
            value = left.pop()
            if id(value) in seen or isinstance(value, _UNSEEN):
                continue
            seen[id(value)] = value
            left += self._visit(value)

    def restore(self) -> None:
        """Restore the remembered contents of all objects."""
        with torch.no_grad():
            for restore in self._restores:
                restore()

    def _visit(self, value: Any) -> list[Any]:
        """Remember the contents of ``value`` for ``restore``, and return the objects that ``value`` refers to."""
        match value:
            case Tensor():
                self._remember_tensor(value)
                return list(vars(value).values()) if hasattr(value, "__dict__") else []
            case list() | deque():
                return self._remember_sequence(value)
            case dict() | set():
                return self._remember_container(value)
            case tuple() | frozenset():
                return list(value)
            case types.FunctionType():
                return self._remember_closure(value)
            case types.MethodType():
                return [value.__self__, value.__func__]
            case functools.partial():
                return [value.func, *value.args, *value.keywords.values()]
        if restore := _flat_state(value):
            self._restores.append(restore)
            return []
        own = isinstance(value, nn.Module | types.SimpleNamespace) or _package(type(value)) not in _NOT_OWN
        return self._remember_attributes(value) if own else []

    def _remember_tensor(self, tensor: Tensor) -> None:
        if isinstance(tensor, nn.Parameter) and tensor not in self._parameters:
            return
        data, copied, version = tensor.data, tensor.detach().clone(), tensor._version
        if tensor.layout is not torch.strided:
            self._restores.append(functools.partial(_set_sparse, tensor, copied))
            return

        def restore() -> None:
            is_written = tensor._version != version
            if is_other := tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape:
                tensor.data = data
            if differs := not torch.equal(tensor, copied):
                tensor.copy_(copied)
            if isinstance(tensor, nn.Parameter) and (is_written or is_other or differs):
                self.changed.add(tensor)

        self._restores.append(restore)

    def _remember_sequence(self, value: Any) -> list[Any]:
        items = list(value)

        def restore() -> None:
            value.clear()
            value.extend(items)

        self._restores.append(restore)
        return items

    def _remember_container(self, value: Any) -> list[Any]:
        items = value.copy()

        def restore() -> None:
            value.clear()
            value.update(items)

        self._restores.append(restore)
        return [*items.values(), *items] if isinstance(items, dict) else list(items)

    def _remember_closure(self, function: types.FunctionType) -> list[Any]:
        if _package(function) in _NOT_OWN:
            return []
        found = []
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not yet assigned
                continue
            self._restores.append(functools.partial(setattr, cell, "cell_contents", content))
            found.append(content)
        return found

    def _remember_attributes(self, value: object) -> list[Any]:
        found: list[Any] = []
        if hasattr(value, "__dict__"):
            attributes = vars(value)
            items = dict(attributes)

            def restore() -> None:
                attributes.clear()
                attributes.update(items)

            self._restores.append(restore)
            found += items.values()
        for name in _slots(type(value)):
            if hasattr(value, name):
                content = getattr(value, name)
                self._restores.append(functools.partial(object.__setattr__, value, name, content))
                found.append(content)
        return found


def _flat_state(value: Any) -> Restore | None:
    """Return a function that restores the present state of ``value``, a random generator or an array.

    Return None if ``value`` is neither.
    """
    match value:
        case torch.Generator():
            return functools.partial(_set_state, value, value.get_state())
        case np.random.Generator():
            return functools.partial(setattr, value.bit_generator, "state", value.bit_generator.state)
        case np.random.RandomState():
            return functools.partial(value.set_state, value.get_state())
        case random.Random() if not isinstance(value, random.SystemRandom):
            return functools.partial(value.setstate, value.getstate())
        case np.ndarray():
            return functools.partial(_set_array, value, value.copy(), value.flags.writeable)
    return None


def _set_sparse(tensor: Tensor, copied: Tensor) -> None:
    if tensor.layout is torch.sparse_coo:
        tensor.data = copied  # copying into the tensor could not make it smaller
    else:
        tensor.resize_as_sparse_(copied).copy_(copied)  # setting the data of a compressed tensor may have no effect


def _set_array(array: np.ndarray[Any, Any], copied: np.ndarray[Any, Any], writeable: bool) -> None:
    if writeable:
        array.flags.writeable = True
    if array.flags.writeable:  # otherwise it could not be changed
        np.copyto(array, copied)
    array.flags.writeable = writeable


def _set_state(generator: torch.Generator, state: Tensor) -> None:
    generator.set_state(state)


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "builtins").partition(".")[0]


def _slots(kind: type) -> list[str]:
    names = (getattr(base, "__slots__", ()) for base in kind.__mro__)
    listed = [name for slots in names for name in ([slots] if isinstance(slots, str) else slots)]
    return [name for name in listed if name not in ("__dict__", "__weakref__")]
