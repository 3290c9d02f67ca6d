"""Convert names of algorithms and compressors, as in the options of ``liecbench predict``, to methods."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

from liecbench.config import registry
from liecbench.config.block_choice import BlockChoice
from liecbench.config.choice import Choice
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.prediction.method_choice import Method

if TYPE_CHECKING:
    from liecbench.algorithms.comm.partition import ServerPlace

# Without a scenario: the methods that people run, and one of each way to compress.
DEFAULT_ALGORITHMS: Final = ("ddp", "ddp_bf16", "powersgd", "psgd", "memsgd", "liec", "doublesqueeze")
DEFAULT_COMPRESSORS: Final = ("sign",)
_OWN_BLOCKS: Final = BlockChoice()


def named_methods(
    algorithms: Sequence[str],
    compressors: Sequence[str],
    server: "ServerPlace",
    blocks: BlockChoice = _OWN_BLOCKS,
    option: str = "--algorithm",
) -> tuple[Method, ...]:
    """Return the methods that combine the named algorithms with the named compressors.

    An algorithm that takes no compressor is one method. Any other algorithm is one method per compressor that it works
    with.

    Args:
        algorithms: Names of algorithms, each with or without options: ``NAME`` or ``NAME:OPTION=VALUE,…``.
        compressors: Names of compressors, in the same form.
        server: The place of the server, for algorithms that have one.
        blocks: The size and the order of blocks, as far as they are given.
        option: The words before an algorithm in error messages, such as ``--algorithm``.

    Raises:
        LiecbenchError: If a name or an option is wrong, or if an algorithm works with none of the compressors.
    """
    made = []
    for text in algorithms:
        choice = _choice("algorithm", text, option)
        cls = registry.load("algorithm", choice.name)
        place = server if registry.takes(cls, "server") else None
        fitting: Sequence[Choice | None] = [None]
        if registry.takes(cls, "compressor"):
            fitting = fitting_compressors(cls, compressors, f"{option} {text}", "give another --compressor")
        made += [Method(algorithm=choice, compressor=one, server=place, **blocks.fields(cls, one)) for one in fitting]
    return tuple(made)


def fitting_compressors(algorithm: type[Any], compressors: Sequence[str], subject: str, remedy: str) -> list[Choice]:
    """Return the compressors that an algorithm works with.

    Args:
        algorithm: The algorithm's class, which takes a compressor.
        compressors: Names of compressors, each with or without options: ``NAME`` or ``NAME:OPTION=VALUE,…``.
        subject: The algorithm as an error message names it, such as ``--algorithm liec``.
        remedy: What to do, as an error message says it.

    Raises:
        LiecbenchError: If a name or an option is wrong, or if the algorithm works with none of the compressors.
    """
    choices = [named_compressor(one) for one in compressors]
    reasons = [algorithm.incompatibility(_instance(one)) for one in choices]
    fitting = [one for one, reason in zip(choices, reasons, strict=True) if reason is None]
    if not fitting:
        raise LiecbenchError(f"{subject}: {reasons[0]}", remedy)
    return fitting


def named_compressor(text: str) -> Choice:
    """Return the compressor that ``--compressor`` names. Raises LiecbenchError if a name or an option is wrong."""
    return _choice("compressor", text, "--compressor")


def _instance(choice: Choice) -> Any:
    return registry.load("compressor", choice.name)(**choice.options)


def _choice(kind: registry.Kind, text: str, option: str) -> Choice:
    """Return the name and the options in ``text``, which is ``NAME`` or ``NAME:OPTION=VALUE,…``.

    Options that are missing in ``text`` get their defaults. Error messages name ``option``, the command-line option
    whose value is ``text``, such as ``--algorithm``.
    """
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise LiecbenchError(f"{option} {text}: {part!r} has no value", "write NAME:OPTION=VALUE")
        options[key] = _value(value)
    try:
        return Choice.model_validate({"name": name, **registry.resolve(kind, name, options)})
    except registry.OptionError as error:
        where = f"{option} {text}"
        at = {one: "" if one.option in (None, "name") else f"{one.option}: " for one in (error, *error.further)}
        wrong = [LiecbenchError(f"{where}: {place}{one}") for one, place in at.items()]
        raise LiecbenchError.together(where, wrong) from None


def _value(text: str) -> Any:
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def parse_server(text: str) -> "ServerPlace":
    """Return the place of the server. Raises LiecbenchError for anything but ``root`` and ``sharded``."""
    from liecbench.algorithms.comm.partition import ServerPlace

    for place in get_args(ServerPlace):
        if text == place:
            return text  # type: ignore[return-value]
    raise LiecbenchError(f"--server {text}: no place of a server", did_you_mean(text, get_args(ServerPlace)))
