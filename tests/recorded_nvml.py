"""Answers of NVIDIA's management library (NVML), recorded on a real GPU by ``scripts/record_nvml.py``."""

import ctypes
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

H100: Final = Path(__file__).parent / "host" / "nvml_h100.json"


class RecordedNvml:
    """A library that gives the recorded answers to each call in their order, and the last one from then on.

    A call that was not recorded raises AssertionError.
    """

    def __init__(self, recording: Path = H100) -> None:
        content = json.loads(recording.read_text())
        self.calls: list[dict[str, Any]] = content["calls"]
        self.figures: dict[str, float] = content["figures"]
        self._left: dict[str, list[dict[str, Any]]] = {}
        for call in self.calls:
            self._left.setdefault(_key(call["function"], call["arguments"]), []).append(call)

    def answers(self, function: str) -> list[Any]:
        """Return the recorded answers of a function, in their order."""
        return [call["answers"][0] for call in self.calls if call["function"] == function]

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Return a function by its name in C."""

        def answer(*arguments: Any) -> int:
            inputs = [_value(each) for each in arguments if not _is_output(each) and not _is_handle(each)]
            left = self._left.get(_key(name, inputs))
            assert left, f"no recorded answer to {name}{inputs}"
            call = left.pop(0) if len(left) > 1 else left[0]
            outputs = [each for each in arguments if _is_output(each)]
            for output, recorded in zip(outputs, call["answers"], strict=True):
                _write(getattr(output, "_obj", output), recorded)
            return int(call["code"])

        return answer


def _key(function: str, inputs: list[Any]) -> str:
    return f"{function}{inputs}"


def _is_output(argument: Any) -> bool:
    return hasattr(argument, "_obj") or isinstance(argument, ctypes.Array)


def _is_handle(argument: Any) -> bool:
    return isinstance(argument, ctypes._Pointer)


def _value(argument: Any) -> Any:
    value = getattr(argument, "value", argument)
    return value.decode() if isinstance(value, bytes) else value


def _write(output: Any, recorded: Any) -> None:
    """Write recorded content into a ctypes object."""
    if isinstance(recorded, dict):
        for name, value in recorded.items():
            if isinstance(value, dict):
                # All members of a union have the same bytes, and this one has all of them.
                getattr(output, name).ullVal = value["ullVal"]
            else:
                setattr(output, name, value.encode() if isinstance(value, str) else value)
    elif isinstance(recorded, list):
        for each, value in zip(output, recorded, strict=True):
            _write(each, value)
    elif recorded is not None:
        output.value = recorded.encode() if isinstance(recorded, str) else recorded
