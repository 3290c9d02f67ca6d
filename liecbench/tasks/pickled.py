"""Read pickled dictionaries of uint8 arrays as data, without importing or calling anything that the pickle names."""

import io
import math
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liecbench.tasks.archives import MalformedError

# The functions that a pickled array names. NumPy before 2 writes numpy.core, later versions numpy._core. In protocol 2,
# Python 3 writes a byte string as a call of _codecs.encode.
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
}
_UINT8 = ("u1", b"u1")


class _Named:
    """A stand-in for a function or class that a pickle names.

    Calling the stand-in for ``_codecs.encode`` returns the given text as bytes. Calling any other stand-in runs
    nothing, and returns the name and the arguments as a ``_Called``.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any) -> object:
        if self._name != "encode":
            return _Called(self._name, arguments)
        text, encoding = arguments
        if not isinstance(text, str) or encoding != "latin1":
            raise MalformedError("it holds a byte string in a form that Python does not write")
        return text.encode("latin1")


class _Called:
    """A function call in a pickle, recorded instead of executed.

    ``name`` is the function's value in ``_KNOWN``, such as ``array``. ``state`` is what the pickle passes to
    ``__setstate__`` of the call's result, such as the shape, dtype and bytes of an array; None if the pickle does not
    call ``__setstate__``.
    """

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments = name, arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


# The standard library's unpickler in Python, because the one in C allocates gigabytes if a damaged file says so.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _KNOWN:
            raise MalformedError(f"it names {module}.{name}, which no data needs; nothing of it was run")
        return _Named(_KNOWN[module, name])


def read_dictionary(content: bytes) -> dict[str, object]:
    """Return the dictionary that Python 2 or 3 pickled in ``content``, with keys as text and arrays as uint8.

    Raises:
        MalformedError: If the content is not a pickled dictionary, if an array in it is not of uint8, or if the pickle
            names a function or class that a NumPy array does not need.
    """
    try:
        loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except MalformedError:
        raise
    except Exception as error:
        raise MalformedError(f"it is no pickle that can be read: {error}") from error
    if not isinstance(loaded, dict):
        raise MalformedError("it holds no dictionary")
    return {_text(key): _array(value) if isinstance(value, _Called) else value for key, value in loaded.items()}


def _text(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _array(noted: _Called) -> NDArray[np.uint8]:
    match noted.name, noted.state:
        case "array", (1, tuple(shape), _Called(name="dtype", arguments=(kind, *_)), fortran, bytes(content)):
            sizes = all(isinstance(size, int) and size >= 0 for size in shape)
            if sizes and kind in _UINT8 and math.prod(shape) == len(content):
                return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")
    raise MalformedError("it holds an array that is not whole or not of uint8")
