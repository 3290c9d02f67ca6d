from collections.abc import Sequence

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from liecbench.config.independent_errors import independent_errors
from liecbench.config.yaml_source import Key


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    side: int


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    radius: int


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: str
    pages: int = 1
    shape: Square | Circle | None = None
    marks: list[int] | None = None


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ({"titel": "a"}, [("titel",)]),
        ({"colour": "a"}, [("colour",), ("title",)]),
        ({"titel": "a", "page": 2}, [("titel",), ("page",)]),
        ({"title": 1, "pages": "2"}, [("title",), ("pages",)]),
        ({"title": "a", "shape": {"edge": 1}}, [("shape", "edge")]),
        ({"title": "a", "shape": 3}, [("shape",)]),
        ({"title": "a", "marks": [1, "2", "3"]}, [("marks", 1), ("marks", 2)]),
    ],
    ids=[
        "a missing key that is misspelt",
        "a missing key, and an unknown one that is not similar",
        "two misspelt keys",
        "two wrong values",
        "a misspelt key in a value of several forms",
        "a value that has none of its forms",
        "two entries of a list",
    ],
)
def test_errors_that_follow_from_others_are_left_out(data: dict[str, object], paths: Sequence[Key]) -> None:
    with pytest.raises(ValidationError) as raised:
        Drawing.model_validate(data)
    written = {"Square", "Circle", "list[int]"}
    found = independent_errors(
        raised.value.errors(), lambda error: tuple(part for part in error["loc"] if part not in written)
    )

    assert [path for path, _ in found] == paths
