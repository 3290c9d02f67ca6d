"""The error of an option that does not fit the length of a run."""


class RunLengthError(ValueError):
    """The error that a method's option does not fit the length of the run; ``option`` is the option's name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option
