"""The state of a model that its state dict lacks: non-persistent buffers, attributes, and random number generators.

A model may keep a flag or a counter in an attribute, such as "initialised from the first batch", or put a submodule
into eval mode. Without this state, a model that resumes from a checkpoint would differ from the interrupted model.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Final, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from liecbench.worker.generator_states import as_plain, from_plain, generator_with, is_generator, state_of

# Torch's own attributes of every module, of which only the mode is state.
_TORCHS: Final = frozenset(vars(nn.Module())) - {"training"}
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None), torch.Size, torch.dtype, torch.device)


def unsaved_state(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the state that the model's state dict lacks, as one dict per module, by the module's name.

    For example, ``state["encoder"]["buffers"]["mask"]`` is the buffer ``mask`` of the module ``encoder``.
    ``torch.load`` reads the state with ``weights_only=True``. The dict of each module has these keys:

    - ``buffers``: buffers that are not persistent.
    - ``attributes``: attributes that are tensors or plain data, such as numbers and lists.
    - ``collections``: deques as lists, and Counters and defaultdicts as dicts.
    - ``arrays``: NumPy arrays of numbers.
    - ``generators``: the states of random number generators.
    - ``objects``: the attributes of other objects, if all of them are tensors or plain data.
    """
    return {
        name: {
            "buffers": {key: module._buffers[key] for key in module._non_persistent_buffers_set},
            "attributes": {
                key: _detached(value) for key, value in vars(module).items() if key not in _TORCHS and _is_plain(value)
            },
            "collections": {
                key: _detached(_plain_items(value)) for key, value in vars(module).items() if _has_plain_items(value)
            },
            "arrays": {key: as_plain(value) for key, value in vars(module).items() if _is_array(value)},
            "generators": {key: state_of(value) for key, value in vars(module).items() if is_generator(value)},
            "objects": {
                key: _detached(vars(value))
                for key, value in vars(module).items()
                if _has_fields(value) and _is_plain(vars(value))
            },
        }
        for name, module in model.named_modules()
    }


def restore_unsaved_state(model: nn.Module, state: dict[str, dict[str, Any]]) -> None:
    """Restore the state that a model's state dict lacks, such as buffers that are not persistent.

    Args:
        model: The model to change. Missing buffers and torch generators are created on the device of the model's
            parameters. Missing collections and objects are not created.
        state: The result of ``unsaved_state`` for a model with the same modules.
    """
    for name, module in model.named_modules():
        saved = state.get(name)
        if saved is None:
            continue
        for key, value in saved["buffers"].items():
            _set_buffer(module, key, value, model)
        for key, value in saved["attributes"].items():
            vars(module)[key] = _restored(vars(module).get(key), value)
        for key, value in saved["generators"].items():
            vars(module)[key] = generator_with(value, vars(module).get(key), _device(model))
        for key, value in saved.get("collections", {}).items():
            _refill(vars(module).get(key), value)
        for key, value in saved.get("arrays", {}).items():
            _set_array(module, key, from_plain(value))
        for key, value in saved["objects"].items():
            if _has_fields(found := vars(module).get(key)):
                vars(found).update(value)


def _restored(found: Any, value: Any) -> Any:
    """Return the object to assign to an attribute whose present value is ``found`` and whose saved value is ``value``.

    - If both are lists, both dicts, both sets, or both tensors of equal shape and dtype: ``found``, into which the
      content of ``value`` is copied.
    - If both are tensors of different shape or dtype: ``value`` on the device of ``found``.
    - Otherwise: ``value``.
    """
    # Objects that refer to ``found``, such as a view of a parameter, stay valid if the value is copied.
    match found, value:
        case (list(), list()):
            found[:] = value
        case (dict(), dict()) | (set(), set()):
            found.clear()
            found.update(value)
        case (Tensor(), Tensor()) if found.shape == value.shape and found.dtype == value.dtype:
            with torch.no_grad():
                found.copy_(value)
        case (Tensor(), Tensor()):
            return value.to(found.device)
        case _:
            return value
    return found


def _refill(found: Any, items: list[Any] | dict[Any, Any]) -> None:
    """Replace the items of the collection ``found`` by ``items``, in place; do nothing if ``found`` is None."""
    # ``found`` is None for models that create a collection only in their first forward pass.
    match found, items:
        case (deque(), list()):
            found.clear()
            found.extend(items)
        case (dict(), dict()):
            found.clear()
            found.update(items)


def _set_array(module: nn.Module, key: str, array: np.ndarray[Any, Any]) -> None:
    found = vars(module).get(key)
    if _is_array(found) and found.shape == array.shape and found.dtype == array.dtype and found.flags.writeable:
        found[...] = array
    else:
        vars(module)[key] = array


def add_missing_buffers(model: nn.Module, state: dict[str, Any]) -> None:
    """Copy to ``model`` the buffers of the state dict ``state`` that are None in ``model`` or have another shape there.

    Some modules create or reshape their buffers in the first pass.
    """
    modules = dict(model.named_modules())
    for key, value in state.items():
        owner, _, name = key.rpartition(".")
        module = modules.get(owner)
        if module is None or name not in module._buffers or not isinstance(value, Tensor):
            continue
        found = module._buffers[name]
        if found is None or found.shape != value.shape:
            _set_buffer(module, name, value, model)


def _set_buffer(module: nn.Module, name: str, value: Tensor | None, model: nn.Module) -> None:
    """Set the buffer ``name`` of ``module``, which is a part of ``model``.

    Set it in place if possible, because DistributedDataParallel keeps references to buffers.
    """
    found = module._buffers.get(name)
    if found is not None and value is not None and found.shape == value.shape and found.dtype == value.dtype:
        with torch.no_grad():
            found.copy_(value)
    else:
        module._buffers[name] = None if value is None else value.to(_device(model))


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _has_fields(value: object) -> bool:
    """Return True if ``value`` has a ``__dict__`` and is no class, module, tensor or callable."""
    return hasattr(value, "__dict__") and not isinstance(value, type | nn.Module | Tensor) and not callable(value)


def _is_array(value: object) -> TypeGuard[np.ndarray[Any, Any]]:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biufc"


def _has_plain_items(value: object) -> bool:
    """Return whether ``value`` is a deque, Counter or defaultdict that holds only tensors and plain data."""
    return isinstance(value, deque | Counter | defaultdict) and _is_plain(_plain_items(value))


def _plain_items(value: Any) -> list[Any] | dict[Any, Any]:
    return list(value) if isinstance(value, deque) else dict(value)


def _is_plain(value: object) -> bool:
    if type(value) in _PLAIN:
        return True
    match value:
        case Tensor():
            return type(value) is Tensor
        case list() | tuple() | set():
            return type(value) in (list, tuple, set) and all(map(_is_plain, value))
        case dict():
            return type(value) in (dict, OrderedDict) and all(map(_is_plain, [*value, *value.values()]))
    return False


def _detached(value: Any) -> Any:
    """Return ``value``, plain data that may contain tensors, with every tensor detached from its autograd graph."""
    match value:
        case Tensor():
            return value.detach()
        case list() | tuple() | set() if type(value) is not torch.Size:
            return type(value)(map(_detached, value))
        case dict():
            return type(value)((key, _detached(item)) for key, item in value.items())
    return value
