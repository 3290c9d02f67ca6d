#!/usr/bin/env python3
"""Print, as JSON, what NVIDIA's management library (NVML) answers to liecbench on this machine.

scripts/record_nvml.py > tests/host/nvml_NAME.json

Each line of ``calls`` has a function, its arguments, its code and its answers. The first GPU computes for a second
meanwhile. UUIDs are replaced and serial numbers are never asked for. ``tests/recorded_nvml.py`` replays a recording.
"""

import contextlib
import ctypes
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pynvml
import torch

from liecbench.host import gpu
from liecbench.host.gpu_window import Window

_UUID = re.compile(r"GPU-[0-9a-f-]{36}")


def content(value: Any) -> Any:
    """Return a ctypes object's content: an int or a float, a text, a list, or a dictionary of a structure's fields."""
    if isinstance(value, ctypes.Structure | ctypes.Union):
        return {field[0]: content(getattr(value, field[0])) for field in value._fields_}
    if isinstance(value, ctypes.Array):
        return value.value.decode() if value._type_ is ctypes.c_char else [content(each) for each in value]
    if isinstance(value, ctypes._Pointer):
        return None
    value = getattr(value, "value", value)
    return value.decode() if isinstance(value, bytes) else value


class Recorder:
    """The real library, whose calls are appended to ``calls``."""

    def __init__(self, library: Any, calls: list[dict[str, Any]]) -> None:
        self._library, self._calls = library, calls

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Return the library's function, recorded."""
        function = getattr(self._library, name)

        def recorded(*arguments: Any) -> int:
            code = function(*arguments)
            written = [getattr(each, "_obj", each) for each in arguments]
            outputs = [
                content(output)
                for output, given in zip(written, arguments, strict=True)
                if output is not given or isinstance(given, ctypes.Array)
            ]
            inputs = [
                content(given)
                for output, given in zip(written, arguments, strict=True)
                if output is given and not isinstance(given, ctypes.Array | ctypes._Pointer)
            ]
            self._calls.append({"function": name, "arguments": inputs, "code": code, "answers": outputs})
            return int(code)

        return recorded


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Multiply matrices on the first GPU in a thread."""
    stop = threading.Event()

    def multiply() -> None:
        one = torch.randn(4096, 4096, device="cuda")
        while not stop.is_set():
            one @ one
            torch.cuda.synchronize()

    thread = threading.Thread(target=multiply)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Ask all that liecbench asks, and print the calls."""
    calls: list[dict[str, Any]] = []
    with computing(), gpu.nvml():
        pynvml.nvmlLib = Recorder(pynvml.nvmlLib, calls)
        pynvml._nvmlGetFunctionPointer_cache.clear()
        found = gpu.installed()
        window = Window(pynvml.nvmlDeviceGetHandleByUUID(found.gpus[0].uuid))
        for _ in range(5):
            time.sleep(0.2)
            window.sample()
        figures = window.end()
    uuids = list(dict.fromkeys(_UUID.findall(json.dumps(calls))))
    text = json.dumps({"figures": figures, "calls": calls}, indent=None)
    for number, uuid in enumerate(uuids, start=1):
        text = text.replace(uuid, f"GPU-00000000-0000-0000-0000-{number:012d}")
    sys.stdout.write(text.replace('{"function"', '\n{"function"') + "\n")


if __name__ == "__main__":
    main()
