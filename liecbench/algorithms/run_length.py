"""The error that is raised if a method's option does not fit the run's length: for example, a warm-up is too long."""


class RunLengthError(ValueError):
    """The error that a method's option does not fit the length of the run; ``option`` is the option's name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option
