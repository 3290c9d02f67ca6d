from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from liecbench.compressors.wrong_values import requirement


class Example(BaseModel):
    """A model with a field of each kind that a scenario or a record may have."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    count: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    switch: bool = False
    text: str = ""
    items: list[int] = []
    keys: dict[str, int] = {}
    choice: Literal["a", "b"] = "a"
    checked: int = 0

    @field_validator("checked")
    @classmethod
    def _refuse(cls, value: int) -> int:
        if value:
            raise ValueError("write 0")
        return value


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("count", "x", "should be a whole number"),
        ("count", 1.5, "should be a whole number"),
        ("count", 0, "should be at least 1"),
        ("count", 10, "should be at most 9"),
        ("share", "x", "should be a number"),
        ("share", 0, "should be above 0"),
        ("share", 1.0, "should be below 1"),
        ("share", float("inf"), "should be a finite number"),
        ("switch", 1, "should be true or false"),
        ("text", 1, "should be text"),
        ("items", 1, "should be a list"),
        ("keys", 1, "should be a mapping of keys"),
        ("choice", "c", "should be 'a' or 'b'"),
        ("checked", 1, "write 0"),
    ],
)
def test_a_requirement_is_in_plain_words(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Example(**{field: value})

    assert requirement(raised.value.errors()[0]) == expected
