"""Timing sessions whose ranks replay a profile written by hand, in which computing and compressing take no time."""

from pathlib import Path
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Session
from liecbench.profiles.profile_store import ProfileFile
from tests import profiles_of_tasks
from tests.ledgers import spec

# One tensor of 4 MB.
NUM_BYTES = 4_000_000
NONE = {"median": 0.0}
NO_TIME = {"constant": 0.0, "per_element": 0.0}


def profile_file(directory: Path, **changes: Any) -> ProfileFile:
    """Return a profile of one parameter; ``changes`` replace its fields."""
    written = profiles_of_tasks.write(
        directory / "profile.json",
        **{
            "task": None,
            "forward": NONE,
            "backward": NONE,
            "optimizer": NONE,
            "parameters": [{"name": "a", "shape": [1000, 1000], "ready_seconds": 0.0}],
            "compressors": [
                {"compressor": {"name": name}, "compress": NO_TIME, "decompress": NO_TIME, "accumulate": NO_TIME}
                for name in ("sign", "identity")
            ],
            "message_seconds": 0.0,
            "hop_seconds": 0.0,
            **changes,
        },
    )
    return ProfileFile.read(written, written.name)


def session(file: ProfileFile, *algorithms: str, **fields: Any) -> Session:
    """Return a session that times algorithms with a profile; ``fields`` are those of the specs."""
    cells = [
        Cell.from_spec(
            {
                **spec(name, timing="interleaved", compute="replayed", profile=file.sha256, **fields),
                "task": {"profile": file.sha256},
                "server": None if name == "ddp" else "sharded",
                "compressor": {"name": "sign"} if name == "doublesqueeze" else None,
            }
        )
        for name in algorithms
    ]
    return Session(contestants=tuple(Contestant(cell=cell, jobs=()) for cell in cells), precision=0.02)
