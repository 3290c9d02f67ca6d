"""A running sum of compressed messages, with which a server adds up what the workers send."""

from torch import Tensor

from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors.base import Compressor, Message


class MessageSum:
    """Computes in ``total`` the sum of decompressed messages, each times ``weight``; ``total`` may be uninitialised.

    Messages are added in batches of at least ``batch_bytes``, because a GPU adds a batch in one pass over ``total``. If
    ``batch_bytes`` is 0, each message is added when it arrives, while it is in the CPU's cache.
    """

    def __init__(
        self, compressor: Compressor, total: Tensor, *, weight: float, batch_bytes: int, watch: Stopwatch
    ) -> None:
        self._compressor, self._total, self._weight, self._watch = compressor, total, weight, watch
        self._batch_bytes, self._batch = batch_bytes, list[Message]()
        self._is_empty = True

    def add(self, message: Message) -> None:
        """Add a message to ``total``: at once, or when the batch of messages is large enough."""
        self._batch.append(message)
        if sum(waiting.payload_bytes for waiting in self._batch) >= self._batch_bytes:
            self.flush()

    def flush(self) -> None:
        """Add the messages of an unfinished batch to ``total``."""
        if self._batch:
            with self._watch.timed("compress_seconds", "decompress"):
                self._compressor.sum_messages(
                    self._batch, self._total, accumulate=not self._is_empty, weight=self._weight
                )
            self._batch, self._is_empty = [], False
