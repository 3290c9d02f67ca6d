"""The base class of problems: functions whose value, gradient and smoothness are known, to test theory with."""

from abc import ABC, abstractmethod

from torch import Generator, Tensor


class Problem(ABC):
    """A function f to minimise, with stochastic gradients. A subclass is a dataclass, whose fields are its options.

    Every worker has the same f. Models are float32 vectors of shape ``[num_dimensions]``.
    """

    @property
    @abstractmethod
    def num_dimensions(self) -> int:
        """The number of elements of a model."""

    @property
    @abstractmethod
    def smoothness(self) -> float:
        """The smoothness L: ‖∇f(x) − ∇f(y)‖ ≤ L‖x − y‖ for all x and y."""

    @property
    @abstractmethod
    def noise_variance(self) -> float:
        """The variance σ² of a stochastic gradient g at the minimum: E‖g − ∇f‖²."""

    @abstractmethod
    def minimum(self) -> Tensor:
        """Return the model at which the problem's function f is smallest."""

    @abstractmethod
    def gradient(self, model: Tensor) -> Tensor:
        """Return ∇f(``model``)."""

    @abstractmethod
    def stochastic_gradients(self, models: Tensor, random: Generator) -> Tensor:
        """Return one stochastic gradient per model.

        Args:
            models: One model per row, of shape ``[n, num_dimensions]``.
            random: The source of the random numbers.

        Returns:
            Independent random gradients, of the shape of ``models``. The expected value of row i is ∇f(``models[i]``).
        """
