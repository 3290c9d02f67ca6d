"""A dataset that cannot be loaded, and the list of attempts."""

from typing import Final, NoReturn

from liecbench.tasks.base import Dataset

LOADS: Final[list[str]] = []


class _Broken(Dataset):
    num_classes = 10

    def load(self) -> NoReturn:
        LOADS.append("broken")
        raise OSError("the disk is gone")


def broken() -> Dataset:
    """Return a dataset that raises an error when it is loaded."""
    return _Broken()
