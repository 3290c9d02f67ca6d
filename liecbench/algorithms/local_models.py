"""The base class that gives algorithms ``evaluation`` and ``average_models``."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from liecbench.algorithms.attachment import Attachment
from liecbench.algorithms.training_events import NonFiniteError, TrainingEvents


class LocalModels(TrainingEvents):
    """The part of ``Algorithm`` that averages the models of methods whose workers have models of their own.

    Attributes:
        local_models: True if each worker has a model of its own, which can differ from the other workers' models.
    """

    local_models: ClassVar[bool] = False

    def average_models(self) -> None:
        """If the method has local models, replace each by the mean of all. Collective."""
        return

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """If the method has local models, replace them by their mean during the ``with`` body. Collective.

        After a backward pass, ``optimizer.step`` raises RuntimeError in the body.
        """
        self._require_attached("evaluation")
        self.synchronize()
        self._num_evaluations += 1
        try:
            with self.mean_model():
                yield
        finally:
            self._num_evaluations -= 1

    @contextmanager
    def mean_model(self) -> Iterator[None]:
        """Replace local models, if the method has any, by their mean for ``evaluation``, then restore them."""
        yield

    def _make_models_equal(self, attachment: Attachment) -> None:
        self.average_models()
        self.synchronize()
        if self.local_models:
            attachment.average_optimizer_states()

    def _make_models_equal_after(self, failure: BaseException, attachment: Attachment) -> None:
        # All ranks raise NonFiniteError after the same message, so that the process group still works. If a rank has
        # ended since, the backend raises RuntimeError.
        if isinstance(failure, NonFiniteError):
            try:
                self._make_models_equal(attachment)
            except (NonFiniteError, RuntimeError) as error:
                failure = error
            else:
                return
        warnings.warn(
            f"detach could not average the local models, so that the ranks' models differ ({failure}); "
            "load a checkpoint's model and optimizer on every rank",
            stacklevel=3,
        )

    def _require_attached(self, call: str) -> Attachment:
        if self._attachment is None:
            raise self._not_attached(call)
        return self._attachment

    def _not_attached(self, call: str) -> RuntimeError:
        return RuntimeError(f"{type(self).__name__} is not attached; call attach(ddp, optimizer) before {call}()")
