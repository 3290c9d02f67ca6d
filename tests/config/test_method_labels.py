from liecbench.config.choice import Choice
from liecbench.config.method_labels import method_label


def choice(name: str, **options: object) -> Choice:
    return Choice.model_validate({"name": name, **options})


def test_an_option_without_which_the_name_means_another_method_is_in_it_also_alone() -> None:
    assert method_label(choice("psgd", per_tensor=True), None) == "psgd per_tensor"
    assert method_label(choice("psgd", per_tensor=False), None) == "psgd"
    assert method_label(choice("liec", average_period=8), choice("sign")) == "liec(sign)"


def test_options_in_which_methods_differ_are_in_their_names() -> None:
    methods = [
        (choice("psgd", per_tensor=True), None),
        (choice("psgd"), None),
        (choice("liec", average_period=8), choice("sign")),
        (choice("liec", average_period=32), choice("sign")),
        (choice("liec", average_period=32), choice("top_k", ratio=0.1)),
        (choice("csgd"), choice("top_k", ratio=0.1)),
        (choice("csgd"), choice("top_k", ratio=0.2)),
    ]

    assert [method_label(*method, methods) for method in methods] == [
        "psgd per_tensor",
        "psgd",
        "liec(sign) average period 8",
        "liec(sign) average period 32",
        "liec(top_k)",
        "csgd(top_k ratio 0.1)",
        "csgd(top_k ratio 0.2)",
    ]
