"""A running sum of compressed messages, with which a server adds up what the workers send."""

import itertools

from torch import Tensor

from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors.base import Compressor, Message


class MessageSum:
    """Computes in ``total`` the sum of decompressed messages, each times ``weight``; ``total`` may be uninitialised.

    Messages are added in batches of at least ``batch_bytes``, because a GPU adds a batch in one pass over ``total``. If
    ``batch_bytes`` is 0, each message is added when it arrives, while it is in the CPU's cache.
    """

    def __init__(self, total: Tensor, *, weight: float, batch_bytes: int, watch: Stopwatch) -> None:
        self._total, self._weight, self._watch = total, weight, watch
        self._batch_bytes, self._batch = batch_bytes, list[tuple[Compressor, Message]]()
        self._is_empty = True

    def add(self, message: Message, compressor: Compressor) -> None:
        """Queue a message of ``compressor``. If the queue then has at least ``batch_bytes``, add it to ``total``."""
        self._batch.append((compressor, message))
        if sum(waiting.payload_bytes for _, waiting in self._batch) >= self._batch_bytes:
            self.flush()

    def flush(self) -> None:
        """Add the messages of an unfinished batch to ``total``."""
        if self._batch:
            with self._watch.timed("compress_seconds", "decompress"):
                for _, group in itertools.groupby(self._batch, key=lambda waiting: id(waiting[0])):
                    (compressor, *_), messages = zip(*group, strict=True)
                    compressor.sum_messages(messages, self._total, accumulate=not self._is_empty, weight=self._weight)
                    self._is_empty = False
            self._batch = []
