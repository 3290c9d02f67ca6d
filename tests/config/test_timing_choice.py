import pytest

from tests.scenarios import BASE, error_of, scenario


@pytest.mark.parametrize(("earlier", "current"), [("measured", "end_to_end"), ("composed", "interleaved")])
def test_an_earlier_name_is_told_the_current_one(earlier: str, current: str) -> None:
    message = f"s.yaml:12:9: timing: '{earlier}' is no longer a timing; write {current}"

    assert error_of(f"{BASE}timing: {earlier}\n") == message
    assert scenario(f"{BASE}timing: {current}\n").timing == current


def test_another_name_is_refused() -> None:
    assert "s.yaml:12:9: timing: 'both' should be 'interleaved' or 'end_to_end'" in error_of(f"{BASE}timing: both\n")
