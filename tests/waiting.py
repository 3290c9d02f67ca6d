"""Wait for a condition, with a time limit."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

TIMEOUT_SECONDS: Final = 60.0
# On a machine whose cores others keep busy, a command takes over a minute until its second cell is in training.
WAIT_SECONDS: Final = 4 * TIMEOUT_SECONDS
_POLL_SECONDS: Final = 0.04

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], expected: Callable[[], str] | str, seconds: float = WAIT_SECONDS) -> Value:
    """Poll until ``condition()`` is true and return its value.

    Args:
        condition: called every 40 ms.
        expected: the failure's text, or a function that is called for it when the time is up.
        seconds: the time limit.

    Raises:
        AssertionError: if ``condition()`` is still false after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {expected if isinstance(expected, str) else expected()}")
        time.sleep(_POLL_SECONDS)
    return value
