"""The setting in which the baseline is predicted: the number of workers and the links that are fixed for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from liecbench.network.link_map import LinkMap
from liecbench.prediction.predictor import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSetting:
    """The number of workers and the links of the baseline.

    Attributes:
        workers: The number of workers; None if it is that of the method with which the baseline is compared.
        link: The links; None if they are those of the method with which the baseline is compared.
    """

    workers: int | None = None
    link: LinkMap | None = None

    def of(self, workers: int, links: LinkMap) -> tuple[int, LinkMap]:
        """Return the number of workers and the links of the baseline, for methods with ``workers`` on ``links``."""
        return self.workers or workers, self.link or links

    def apart_from(self, workers: Sequence[int], links: Sequence[LinkMap]) -> "BaselineSetting":
        """Return the setting, with None for a value that is also the only value of all predicted methods.

        Example: ``workers=4`` becomes ``workers=None`` if all methods are predicted on 4 workers only.

        Args:
            workers: All numbers of workers of the predicted methods.
            links: All links of the predicted methods.
        """
        return BaselineSetting(
            workers=None if [self.workers] == [*workers] else self.workers,
            link=None if [self.link] == [*links] else self.link,
        )


@dataclass(frozen=True, kw_only=True)
class BaselinePrediction:
    """The predicted baseline with which methods on ``workers`` workers are compared.

    Attributes:
        workers: The number of workers of the methods.
        own_workers: The number of workers of the baseline.
        link: The links of the baseline; None if they are those of the methods.
        predictors: The baseline's predictors, as ``Predictor.all_of`` returns them.
    """

    workers: int
    own_workers: int
    link: LinkMap | None = None
    predictors: tuple[Predictor, ...] = field(repr=False)

    def is_of(self, links: LinkMap) -> bool:
        """Return True if the baseline is in the same setting as methods on ``links``."""
        return self.own_workers == self.workers and self.link in (None, links)

    def seconds(self, links: LinkMap) -> list[float]:
        """Return the baseline's seconds to process the samples of one minibatch per worker of the methods.

        Example: if the methods have 4 workers and the baseline has 2, the baseline processes 2 minibatches per worker.

        Args:
            links: The links of the methods.

        Returns:
            One number per item of ``predictors``.
        """
        return [self.seconds_of(one, links) for one in self.predictors]

    def seconds_of(self, predictor: Predictor, links: LinkMap) -> float:
        """Return the same seconds as ``seconds``, from one of ``predictors``."""
        return predictor.minibatch_seconds(self.link or links) * self.workers / self.own_workers
