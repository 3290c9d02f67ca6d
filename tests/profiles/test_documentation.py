"""The manual of profiles: its example is a profile, and it names every key."""

import re
from pathlib import Path

import pytest

from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import parse_profile, read_profile

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
SHIPPED = sorted((ROOT / "scenarios" / "profiles").glob("*.json"))


def test_the_example_is_a_profile() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL)

    profile = parse_profile(example, "example")

    assert profile.compute_seconds == pytest.approx(0.154)
    assert profile.num_parameters == 50_000 * 512 + 2048 * 512 + 50_000
    assert profile.origin == "written"


def test_every_key_is_named() -> None:
    keys = {field.alias or name for name, field in Profile.model_fields.items()}

    assert keys - set(re.findall(r"`(\w+)`", MANUAL)) == set()


def test_the_shipped_profiles_were_measured_and_name_their_machine() -> None:
    gpus = ["h100-gpt-bf16", "h100-resnet18-bf16", "h100-resnet18"]
    assert [path.stem for path in SHIPPED] == ["cnn", "gpt", *gpus, "mlp", "resnet18"]
    for path in SHIPPED:
        profile = read_profile(path)
        device = "cuda" if path.stem in gpus else "cpu"
        assert (profile.origin, profile.device, profile.threads) == ("measured", device, 1), path
        assert ("H100" in profile.device_name) == path.stem.startswith("h100-"), path
        assert profile.versions["torch"], path
        assert profile.task is not None, path
        assert profile.task["model"]["name"] == path.stem.removeprefix("h100-").removesuffix("-bf16"), path
        assert profile.precision == ("bf16" if path.stem.endswith("-bf16") else "fp32"), path
        assert {"ddp", "psgd", "liec"} <= {one.algorithm["name"] for one in profile.methods}, path
        assert path.stat().st_size < 30_000, path
