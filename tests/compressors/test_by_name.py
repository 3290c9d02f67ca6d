from liecbench.algorithms import Neolithic
from liecbench.compressors import QSGD, Sign, TopK
from liecbench.compressors.by_name import description
from liecbench.compressors.majority_vote import Majority


def test_a_description_has_name_and_options_but_no_seed() -> None:
    found = [description(made) for made in (Sign(), TopK(ratio=0.01), QSGD(levels=3, seed=4))]

    assert found == [{"name": "sign"}, {"name": "top_k", "ratio": 0.01}, {"name": "qsgd", "levels": 3}]


def test_a_compressor_that_a_method_makes_for_itself_goes_by_its_class() -> None:
    rounds = Neolithic(compressor=TopK(ratio=0.1), rounds=3).push_compressor(0)

    assert description(Majority()) == {"name": "Majority"}
    assert rounds is not None
    assert description(rounds) == {"name": "Rounds", "compressor": {"name": "top_k", "ratio": 0.1}, "rounds": 3}
