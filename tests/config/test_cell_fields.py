from liecbench.config.cell_fields import flat_fields
from tests.ledgers import spec


def test_fields_are_bare_names_and_their_options() -> None:
    fields = flat_fields(
        spec("liec", compressor={"name": "top_k", "ratio": 0.5}, link={"up": "1mbit", "down": "2mbit"})
    )
    names = ("algorithm", "compressor", "ratio", "link", "dataset", "model", "width", "layers", "epochs")

    assert tuple(fields[name] for name in names) == ("liec", "top_k", 0.5, "1mbit↑ 2mbit↓", "digits", "mlp", 8, 1, 2)


def test_options_with_the_same_name_get_a_prefix() -> None:
    clashing = {"algorithm": {"name": "a", "rounds": 1, "seed": 5}, "compressor": {"name": "b", "rounds": 2}}
    fields = flat_fields({**spec(), **clashing})

    assert tuple(fields[n] for n in ("rounds", "compressor_rounds", "seed", "algorithm_seed")) == (1, 2, 0, 5)
