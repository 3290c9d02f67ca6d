"""A running sum of compressed messages, with which a server adds up what the workers send."""

import itertools

from torch import Tensor

from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors.base import Compressor, Message


class MessageSum:
    """Decompresses messages, multiplies them by ``weight``, and sums them up in ``total``.

    Call ``add`` for each message, and ``flush`` after the last one.

    Args:
        total: Receives the sum, which overwrites the old content.
        weight: The factor of every message.
        batch_bytes: Messages are queued until they have this many payload bytes together, because a GPU adds several
            messages in one pass over ``total``. If ``batch_bytes`` is 0, each message is added at once, while the
            message is in the CPU's cache.
        watch: Times the decompression.
    """

    def __init__(self, total: Tensor, *, weight: float, batch_bytes: int, watch: Stopwatch) -> None:
        self._total, self._weight, self._watch = total, weight, watch
        self._batch_bytes, self._batch = batch_bytes, list[tuple[Compressor, Message]]()
        self._is_empty = True

    def add(self, message: Message, compressor: Compressor) -> None:
        """Queue a message that ``compressor`` can decompress.

        If the queued messages then have at least ``batch_bytes`` together, add all of them to ``total``.
        """
        self._batch.append((compressor, message))
        if sum(waiting.payload_bytes for _, waiting in self._batch) >= self._batch_bytes:
            self.flush()

    def flush(self) -> None:
        """Add the messages that are still queued to ``total``. Call ``flush`` after the last ``add``."""
        if self._batch:
            with self._watch.timed("compress_seconds", "decompress"):
                for _, group in itertools.groupby(self._batch, key=lambda waiting: id(waiting[0])):
                    (compressor, *_), messages = zip(*group, strict=True)
                    compressor.sum_messages(messages, self._total, accumulate=not self._is_empty, weight=self._weight)
                    self._is_empty = False
            self._batch = []
