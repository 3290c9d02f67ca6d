"""The dataset Text, for predicting the next character; by default the source of Python's own standard library."""

import sysconfig
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Dataset, Examples
from liecbench.untrusted import regular_files

_ASCII = 128
_SUBSTITUTE = 26
_HOLD_OUT_EVERY = 10
_MOST_BYTES = 2**28  # each character takes eight bytes of memory or more
# Modules that differ between machines, because they are written when Python is built or set up.
_NOT_EVERYWHERE = ("_sysconfigdata", "sitecustomize", "usercustomize")


@dataclass(frozen=True)
class Text(Dataset):
    """Text in windows of ``context`` characters, for predicting the next character; every tenth window held out.

    The corpus is the text file ``path`` or, by default, the top-level modules of Python's standard library. If
    ``characters`` is not None, only this many characters from the start of the corpus are used. Characters become their
    ASCII codes; a character outside ASCII becomes 26, ASCII's code for a substitute.
    """

    path: str | None = None
    context: Annotated[int, Ge(1)] = 64
    characters: Annotated[int, Ge(1)] | None = None

    @property
    def num_classes(self) -> int:
        """128, the size of the vocabulary, which is ASCII."""
        return _ASCII

    def load(self) -> tuple[Examples, Examples]:
        """Return training and test windows, int64 of shape ``[n, context]``.

        Labels have the same shape: the label of each character is the character after it.
        """
        corpus = self._corpus()[: self.characters]
        points = np.frombuffer(corpus.encode("utf-32-le"), dtype="<u4")
        codes = torch.from_numpy(np.where(points < _ASCII, points, _SUBSTITUTE).astype(np.int64))
        num_windows = (len(codes) - 1) // self.context
        if num_windows < _HOLD_OUT_EVERY:
            has = f"{self.path or 'the corpus'} gives {len(codes)} characters, {num_windows} windows of {self.context}"
            raise LiecbenchError(has, f"give at least {_HOLD_OUT_EVERY * self.context + 1} characters")
        inputs = codes[: num_windows * self.context].view(num_windows, self.context)
        labels = codes[1 : num_windows * self.context + 1].view(num_windows, self.context)
        held_out = torch.arange(num_windows) % _HOLD_OUT_EVERY == _HOLD_OUT_EVERY - 1
        return (
            Examples(inputs=inputs[~held_out], labels=labels[~held_out]),
            Examples(inputs=inputs[held_out], labels=labels[held_out]),
        )

    def _corpus(self) -> str:
        if self.path is None:
            return "".join(_read(file) for file in standard_library())
        return _read(Path(self.path).expanduser())


def standard_library() -> list[Path]:
    """Return the paths of the top-level modules of Python's standard library, sorted by name."""
    directory = Path(sysconfig.get_path("stdlib"))
    return sorted(file for file in directory.glob("*.py") if not file.name.startswith(_NOT_EVERYWHERE))


def _read(file: Path) -> str:
    try:
        return regular_files.read_text(file, _MOST_BYTES)
    except OSError as error:
        raise LiecbenchError(f"{file}: {error.strerror}", "give a text file as path") from None
    except UnicodeDecodeError:
        raise LiecbenchError(f"{file}: not UTF-8 text", "give a text file as path") from None
