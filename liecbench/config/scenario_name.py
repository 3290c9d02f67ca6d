"""The names of scenarios and studies, which are also names of directories."""

from typing import Annotated, Final

from pydantic import Field

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
NAME_RULE: Final = "should have only letters, digits, '.', '_' and '-', at most 100, and begin with a letter or digit"
ScenarioName = Annotated[str, Field(pattern=NAME_PATTERN)]
