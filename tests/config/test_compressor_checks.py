"""Compressors with which a method does not work: the place of the mistake, the reason, and what to write instead."""

from tests.scenarios import BASE, edited, error_of, scenario

UNBIASED = edited("[sign]", "[sign, qsgd]").replace("[ddp, liec]", "[ddp, liec, csgd]")


def test_a_compressor_that_a_method_refuses_is_placed_with_the_reason() -> None:
    message = error_of(UNBIASED)

    assert message.startswith("s.yaml:10:22: matrix.compressor[1]: liec refuses qsgd: ")
    assert "take csgd" in message
    assert message.endswith("or exclude: [{algorithm: liec, compressor: qsgd}]")


def test_a_refused_pair_may_be_excluded() -> None:
    kept = scenario(UNBIASED + "exclude: [{algorithm: liec, compressor: qsgd}]\n").cells()

    assert [(cell.algorithm.name, cell.compressor and cell.compressor.name) for cell in kept] == [
        ("ddp", None),
        ("liec", "sign"),
        ("csgd", "sign"),
        ("csgd", "qsgd"),
    ]


def test_a_refused_pair_that_is_included_is_placed_there() -> None:
    text = BASE + "include: [{algorithm: memsgd, compressor: {name: random_k, unbiased: true}}]\n"

    message = error_of(text)

    assert message.startswith("s.yaml:12:43: include[0].compressor: memsgd refuses random_k: ")
    assert "exclude" not in message


def test_a_compressor_that_an_option_of_the_method_forbids_is_refused() -> None:
    text = edited("[sign]", "[qsgd]").replace("[ddp, liec]", "[ddp, {name: diloco, error_decay: 0.9}]")

    message = error_of(text)

    assert message.startswith("s.yaml:10:16: matrix.compressor[0]: diloco refuses qsgd: ")
    assert "write error_decay 0" in message


def test_methods_that_refuse_a_compressor_for_the_same_reason_are_one_mistake() -> None:
    text = edited("[sign]", "[qsgd]").replace("[ddp, liec]", "[liec, cser, ef21, {name: liec, average_period: 4}]")

    message = error_of(text)

    assert message.startswith("s.yaml:10:16: matrix.compressor[0]: liec, cser and ef21 refuse qsgd: ")
    assert message.endswith("; or exclude: [{algorithm: liec, compressor: qsgd}, …]")


def test_methods_without_a_compressor_that_they_need_are_one_mistake() -> None:
    text = edited("  compressor: [sign]\n", "").replace("[ddp, liec]", "[ddp, liec, cser]")

    assert error_of(text) == (
        "s.yaml:9:3: matrix.compressor: liec and cser need a compressor; add compressor: [sign] to the matrix"
    )
