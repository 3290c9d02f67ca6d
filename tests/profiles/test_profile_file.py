import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.profiles.profile import Duration, Line
from liecbench.profiles.profile_file import (
    parse_profile,
    profile_schema,
    read_profile,
    write_profile,
    write_sealed,
)
from tests.profiles.written import WRITTEN, written

PARAMETER = WRITTEN["parameters"][0]
COMPRESSOR = WRITTEN["compressors"][0]


def refusal(content: Any) -> str:
    """Return the message that refuses a file with this content, given as text or as JSON values."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(LiecbenchError) as error:
        parse_profile(text, "p.json")
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_written_profile_is_read(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(WRITTEN), encoding="utf-8")

    profile = read_profile(path)

    assert profile.origin == "written"
    assert profile.compute_seconds == pytest.approx(0.31)
    assert profile.num_parameters == 30_001
    assert profile.clip == Duration(median=0.0)
    top_k = profile.compressor_times({"name": "top_k", "ratio": 0.01})
    assert top_k is not None
    assert top_k.compress.seconds(1000) == pytest.approx(1.2e-5)
    assert top_k.compress.seconds(0) == 0
    assert profile.compressor_times({"name": "top_k", "ratio": 0.1}) is None
    assert profile.local_seconds({"name": "psgd"}, None, "averaging") == 0.001
    assert profile.local_seconds({"name": "psgd"}, None, "local") is None


def test_a_profile_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    profile = parse_profile(
        json.dumps(
            written(
                origin="assumed",
                assumptions=["gradients are ready évenly"],
                message_seconds=1.8e-4,
                copy_to_host={"constant": 1e-5, "per_element": 1e-10},
                versions={"torch": "2.8.0"},
            )
        ),
        "p.json",
    )

    write_profile(path, profile)

    assert read_profile(path) == profile
    assert profile.copy_to_host == Line(constant=1e-5, per_element=1e-10)
    assert max(map(len, path.read_text("utf-8").splitlines())) < 400


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "p.json: schema: 2, but this version reads 1; measure it again"),
        ({"schema": True}, "p.json: schema: True, but"),
        ({"forward": {"median": -1}}, "p.json: forward.median: -1 should be at least 0; correct it"),
        ({"forward": {"median": "0.1"}}, "p.json: forward.median: '0.1' should be a number; correct it"),
        ({"forward": {"median": True}}, "p.json: forward.median: True should be a number; correct it"),
        ({"forward": {"median": 1e300}}, "p.json: forward.median: 1e+300 should be at most 1000000"),
        ({"forward": 0.1}, "p.json: forward: 0.1 should be a mapping of keys; correct it"),
        ({"forward": {"medium": 0.1}}, "p.json: forward.medium: there is no such key here (did you mean median?)"),
        ({"fordward": {"median": 0.1}}, "p.json: fordward: there is no such key here (did you mean forward?)"),
        ({"parameters": []}, "p.json: parameters: [] is empty; give at least one"),
        ({"parameters": [PARAMETER, PARAMETER]}, "p.json: parameters.1: first.weight stands at parameters.0 already"),
        ({"parameters": [{**PARAMETER, "shape": [0]}]}, "p.json: parameters: 0 elements together; give a model of 1"),
        ({"parameters": [{**PARAMETER, "shape": [10**7, 10**7]}]}, "p.json: parameters: 100000000000000 elements"),
        ({"parameters": [{**PARAMETER, "shape": [-3]}]}, "p.json: parameters.0.shape.0: -3 should be at least"),
        (
            {"parameters": [{**PARAMETER, "shape": [1.5]}]},
            "p.json: parameters.0.shape.0: 1.5 should be a whole number",
        ),
        (
            {"parameters": [{**PARAMETER, "ready_seconds": 0.3}]},
            "p.json: parameters.0.ready_seconds: the gradient of first.weight is ready after 0.3 s, but the backward "
            "pass ends after 0.2 s; count",
        ),
        ({"parameters": [{"name": "a", "shape": [1]}]}, "p.json: parameters.0.ready_seconds: the key is missing"),
        ({"compressors": [COMPRESSOR, COMPRESSOR]}, "p.json: compressors.1: "),
        ({"compressors": [{**COMPRESSOR, "compressor": {"ratio": 1}}]}, "p.json: compressors.0.compressor: "),
        (
            {"compressors": [{**COMPRESSOR, "compress": {"constant": 0, "per_elemnt": 0}}]},
            "p.json: compressors.0.compress.per_elemnt: there is no such key here (did you mean per_element?)",
        ),
        (
            {"parameters": [{**PARAMETER, "name": "a\nb", "ready_seconds": 0.3}]},
            "p.json: parameters.0.ready_seconds: the gradient of a b is",
        ),
        ({"device": "tpu"}, "p.json: device: 'tpu' should be 'cpu' or 'cuda'; correct it"),
    ],
)
def test_nonsense_is_refused_with_its_key(changes: dict[str, Any], message: str) -> None:
    assert refusal(written(**changes)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.json:1:1: not JSON from here on"),
        ('{"schema": 1,\n"forward" 2}', "p.json:2:11: not JSON from here on"),
        ("[1]", "p.json: schema: the key is missing, so this is no profile"),
        ("{}", "p.json: schema: the key is missing, so this is no profile"),
        ('{"schema": 1, "schema": 1}', "p.json: schema: the key appears twice in one object; remove one"),
        ('{"schema": 1, "forward": {"median": NaN}}', "p.json: NaN is no number; write a finite one"),
        ('{"schema": 1, "forward": {"median": 1e999}}', "p.json: forward.median: inf should be a finite number"),
        ("[" * 100_000, "p.json: nested too deeply for a profile"),
        (
            '{"schema": 1, "forward": ' + "9" * 5000 + "}",
            "p.json: Exceeds the limit",
        ),
    ],
)
def test_text_that_is_no_profile_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    expected = {
        "missing": "No such file or directory",
        "pipe": "a named pipe, not a regular file",
        "binary": "not UTF-8 text, so it is no profile",
    }

    for name, reason in expected.items():
        with pytest.raises(LiecbenchError, match=f"{name}: {reason}; .*measure one with `liecbench profile`"):
            read_profile(tmp_path / name)


def test_the_json_schema_requires_what_reading_requires() -> None:
    schema = profile_schema()

    assert set(schema["required"]) == {"schema", "forward", "backward", "optimizer", "parameters"}
    for key in schema["required"]:
        without = {name: value for name, value in WRITTEN.items() if name != key}
        assert f"{key}: the key is missing" in refusal(without)
    assert "seconds" in schema["$defs"]["Duration"]["properties"]["median"]["description"]


def test_a_sealed_profile_is_refused_after_a_change(tmp_path: Path) -> None:
    path, plain = tmp_path / "sealed.json", tmp_path / "plain.json"
    profile = parse_profile(json.dumps(WRITTEN), "p.json")
    write_profile(plain, profile)
    write_sealed(path, profile)

    text = path.read_text(encoding="utf-8")
    assert read_profile(path) == profile
    assert set(json.loads(text)) - set(json.loads(plain.read_text(encoding="utf-8"))) == {"sha256"}
    assert json.loads(text)["sha256"] == hashlib.sha256(plain.read_bytes()).hexdigest()
    assert set(json.loads(text)) <= set(profile_schema()["properties"])

    changed = json.loads(text)
    changed["forward"]["median"] *= 100
    told = "sha256: the profile was changed after liecbench had written it; restore it, or delete it"
    for edited in (json.dumps(changed), json.dumps(changed, indent=2) + "\n"):
        assert told in refusal(edited)
    del changed["sha256"]
    assert parse_profile(json.dumps(changed), "p.json").forward.median == 100 * profile.forward.median
