"""Names of methods in sentences and lists: the algorithm, its compressor, and the options that tell methods apart."""

from collections.abc import Iterable, Sequence

from liecbench.config.choice import Choice, naming_options


def method_label(
    algorithm: Choice, compressor: Choice | None, among: Sequence[tuple[Choice, Choice | None]] = ()
) -> str:
    """Return a method's name, such as ``psgd per_tensor``, ``liec(sign) average period 32``, ``csgd(top_k ratio 0.1)``.

    The name has only some options: those that ``naming_options`` returns, such as ``per_tensor``, and those that
    distinguish the method from the methods in ``among``.

    Args:
        algorithm: The algorithm.
        compressor: Its compressor; None if it takes none.
        among: The methods that are listed together with this one, as (algorithm, compressor). Only methods with this
            method's algorithm and compressor, but with other options, change the name.
    """
    own = _names(algorithm, compressor)
    alike = [(one, other) for one, other in among if _names(one, other) == own]
    inner = "" if compressor is None else _label(compressor, [other for _, other in alike if other is not None])
    name, _, options = _label(algorithm, [one for one, _ in alike]).partition(" ")
    return " ".join(part for part in (f"{name}({inner})" if inner else name, options) if part)


def option_label(name: str, value: object) -> str:
    """Return an option's name and value as text, such as ``average period 32``.

    If ``value`` is True, the text is the name, such as ``per_tensor``. If ``value`` is False, ``no`` comes before the
    name.
    """
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"{name.replace('_', ' ')} {value}"


def _names(algorithm: Choice, compressor: Choice | None) -> tuple[str, str | None]:
    return algorithm.name, None if compressor is None else compressor.name


def _label(choice: Choice, alike: Iterable[Choice]) -> str:
    """Return the name of ``choice`` and some of its options, such as ``liec average period 32``.

    An option is included if ``naming_options`` returns it, or if an item of ``alike`` has another value for it.

    Args:
        choice: An algorithm or compressor.
        alike: The algorithms or compressors with the same name as ``choice`` that are listed together with it.
    """
    own, others = choice.model_dump(), [one.model_dump() for one in alike]
    always = naming_options(own)
    options = [name for name in own if name in always or any(other.get(name) != own[name] for other in others)]
    return " ".join([choice.name, *(option_label(name, own[name]) for name in options if name != "name")])
