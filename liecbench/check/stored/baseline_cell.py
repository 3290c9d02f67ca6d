"""One cell of a stored baseline: its spec, and the fields of its environment and its epochs that checks need."""

import functools
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import ValidationError, field_validator, model_validator

from liecbench.check.stored.conditions import SpecKeys, StoredEnvironment, conditions
from liecbench.check.stored.session_times import undisturbed_epochs
from liecbench.check.stored.stored_epoch import OF_TRAINING, StoredEpoch
from liecbench.compressors.wrong_values import requirement
from liecbench.config.cell_fields import is_of_profile
from liecbench.config.choice import Model
from liecbench.config.known_specs import complete_spec
from liecbench.errors import LiecbenchError
from liecbench.results.cells import CellResult
from liecbench.results.language_model import is_language_model

_MOST_ENVIRONMENTS: Final = 1000
_ENVIRONMENT: Final = b'\n   "environment": '
_EPOCHS: Final = b',\n   "epochs": '


class BaselineCell(Model):
    """The data of a cell that a check compares, either from the stored baseline or from new results.

    Attributes:
        spec: The cell's configuration, with the defaults of fields that earlier versions did not write.
        environment: The fields of the cell's environment that checks need.
        epochs: One item per epoch, in order, with the fields that checks need.
    """

    spec: dict[str, Any]
    environment: StoredEnvironment
    epochs: list[StoredEpoch]

    @field_validator("spec")
    @classmethod
    def _fill_in(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Return the spec, completed with the defaults of missing fields, which earlier versions did not write."""
        try:
            return complete_spec(spec)
        except ValidationError as error:
            raise ValueError(first_error(error)) from None

    @model_validator(mode="after")
    def _check_epochs(self) -> Self:
        num_ranks, is_trained = self.spec["workers"], self.is_trained
        for number, epoch in enumerate(self.epochs, start=1):
            if epoch.epoch != number:
                raise ValueError(f"epoch {epoch.epoch} stands in place of epoch {number}")
            if is_trained and None in (epoch.train_loss, epoch.test_loss, epoch.test_accuracy):
                raise ValueError(f"epoch {number} needs {', '.join(OF_TRAINING)}")
            if not epoch.has_ranks(num_ranks):
                raise ValueError(f"epoch {number} needs one number per rank, of {num_ranks}")
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as plain JSON values."""
        environment = self.environment.model_dump(mode="json")
        return {
            "spec": dict(self.spec),
            "environment": environment,
            "epochs": [epoch.as_dict() for epoch in self.epochs],
        }

    @functools.cached_property
    def conditions(self) -> Mapping[str, Any]:
        """The cell's conditions by name, such as ``torch`` and ``link``.

        A check compares a metric of two cells only if the conditions on which the metric depends are equal. A condition
        is either a fact of the cell's environment, or a setting that does not change the bytes that the method sends.
        """
        return conditions(self.keys, self.environment)

    @functools.cached_property
    def keys(self) -> SpecKeys:
        """The parts of the cell's spec by which a check matches cells of the results with cells of the baseline."""
        return SpecKeys.of(self.spec)

    def final(self, name: Literal["test_accuracy", "test_loss", "train_loss"]) -> float:
        """Return the accuracy or loss after the last epoch; raise ValueError if the cell was not trained."""
        found: float | None = getattr(self.epochs[-1], name)
        if found is None:
            raise ValueError(f"a cell that was not trained has no {name}")
        return found

    @property
    def is_trained(self) -> bool:
        """True if the cell trained a model; False if the cell's task is a profile, whose steps were only timed.

        A cell that was only timed has no losses and no accuracy.
        """
        return not is_of_profile(self.spec["task"])

    @property
    def is_language_model(self) -> bool:
        """True if the cell trains a language model, which is judged by its test loss instead of its accuracy."""
        return is_language_model(self.spec, [epoch.tokens for epoch in self.epochs])

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return int(self.spec["seed"])

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return the cell that ``text``, the JSON of one cell in a baseline's file, describes.

        Environments are parsed separately and cached, because thousands of cells share a few environments.

        Raises:
            ValidationError: If ``text`` is no cell of a baseline.
        """
        begin = text.find(_ENVIRONMENT)
        end = text.find(_EPOCHS, begin)
        if 0 < begin < end:
            try:
                environment = _environment(text[begin + len(_ENVIRONMENT) : end])
                rest = cls.model_validate_json(b"%b%b{}%b" % (text[:begin], _ENVIRONMENT, text[end:]))
                return rest.model_copy(update={"environment": environment})
            except ValidationError:
                pass  # the error of the whole text tells more
        return cls.model_validate_json(text)

    @classmethod
    def of(cls, cell: CellResult) -> Self:
        """Return the part of ``cell`` that a baseline stores.

        If the cell is unfinished, the result has the epochs recorded so far.

        Raises:
            LiecbenchError: If the cell's records are invalid.
        """
        try:
            environment = StoredEnvironment.of(cell.environment)
            epochs = [StoredEpoch.of(epoch, is_trained=cell.is_trained) for epoch in undisturbed_epochs(cell)]
            return cls.model_validate({"spec": cell.spec, "environment": environment, "epochs": epochs})
        except ValidationError as error:
            remedy = "use the liecbench that wrote it, or run the cell again"
            raise LiecbenchError(f"cell {cell.id}: its records are invalid: {first_error(error)}", remedy) from None


@functools.lru_cache(maxsize=_MOST_ENVIRONMENTS)
def _environment(text: bytes) -> StoredEnvironment:
    return StoredEnvironment.model_validate_json(text)


def first_error(error: ValidationError) -> str:
    """Return the place and the message of a validation's first error."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {requirement(first)}"
