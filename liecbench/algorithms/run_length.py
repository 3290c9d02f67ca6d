"""The error of an option that does not fit the length of a run."""


class RunLengthError(ValueError):
    """An option of a method does not fit the length of the run; ``option`` is its name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option
