"""A running sum of compressed messages."""

from torch import Tensor

from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors.base import Compressor, Message


class MessageSum:
    """Adds messages to ``total``, each times ``weight``: one by one as they arrive, or in batches.

    A batch of about ``batch_bytes`` takes one pass over ``total`` on a GPU; with 0 each message is added at once, while
    it is in the cache.
    """

    def __init__(
        self, compressor: Compressor, total: Tensor, *, weight: float, batch_bytes: int, watch: Stopwatch
    ) -> None:
        self._compressor, self._total, self._weight, self._watch = compressor, total, weight, watch
        self._batch_bytes, self._batch = batch_bytes, list[Message]()
        self._is_empty = True

    def add(self, message: Message) -> None:
        """Add a message."""
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
