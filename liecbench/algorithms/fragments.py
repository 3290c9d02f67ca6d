"""The fragments of a model, and their schedule.

A fragment is a group of tensors that are exchanged together. The schedule says after which steps each fragment is sent,
and after which steps the fragment's outer step is made.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentTimes:
    """The schedule of the fragments: when each fragment is sent, and when the fragment's outer step is made.

    The fragments take turns: one fragment is sent every ``sync_every`` / ``num_fragments`` steps. The outer step of
    this fragment follows ``delay`` steps later.

    Attributes:
        sync_every: The number of steps between two outer steps of a fragment, a multiple of ``num_fragments``.
        num_fragments: The number of fragments.
        delay: The number of steps between the sending of a fragment and its outer step, less than ``sync_every`` /
            ``num_fragments``.
    """

    sync_every: int
    num_fragments: int
    delay: int

    def problem(self) -> str | None:
        """Return an error message with a remedy if the attributes contradict each other, else None."""
        if self.sync_every % self.num_fragments:
            multiple = -(-self.sync_every // self.num_fragments) * self.num_fragments
            return (
                f"sync_every {self.sync_every} is no multiple of fragments {self.num_fragments}, which take turns at "
                f"equal distances; write sync_every {multiple}, or other fragments"
            )
        distance = self.sync_every // self.num_fragments
        if self.delay >= distance:
            return (
                f"delay {self.delay} is not below sync_every / fragments = {distance}, so that a fragment would be "
                f"sent before the one before it has arrived; write a delay of at most {distance - 1}, or a larger "
                "sync_every"
            )
        return None

    def applied_after(self, step: int) -> int | None:
        """Return the index of the fragment whose outer step is made directly after step number ``step``.

        Return None if no outer step is made then. Steps are counted from 0.
        """
        turn, rest = divmod(step + 1, self.sync_every // self.num_fragments)
        return None if rest else (turn - 1) % self.num_fragments

    def sent_after(self, step: int) -> int | None:
        """Return the index of the fragment that is sent directly after step number ``step``; None if none is sent."""
        return self.applied_after(step + self.delay)


def cut_fragments(numels: Sequence[int], num_fragments: int) -> list[list[int]]:
    """Group consecutive tensors into fragments with about equal numbers of elements.

    Args:
        numels: The number of elements of each tensor.
        num_fragments: The number of fragments, at most the number of tensors.

    Returns:
        For each fragment, the indices of the fragment's tensors, in order. No fragment is empty.
    """
    total, middles = sum(numels), []
    for size, end in zip(numels, itertools.accumulate(numels), strict=True):
        middles.append((end - size / 2) / total)
    fragments: list[list[int]] = [[] for _ in range(num_fragments)]
    current = 0
    for index, middle in enumerate(middles):
        tensors_left, fragments_left = len(numels) - index, num_fragments - 1 - current
        is_over = middle * num_fragments >= current + 1 and fragments_left > 0
        if fragments[current] and (is_over or tensors_left <= fragments_left):
            current += 1
        fragments[current].append(index)
    return fragments
