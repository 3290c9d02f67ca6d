"""The profile that a timing session is expected to replay. Stand-ins take the place of times not measured yet."""

from dataclasses import dataclass, field
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.jobs import Session
from liecbench.estimate.stand_in_profile import stand_in, with_methods
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import read_profile
from liecbench.profiles.profile_store import known_profile, load_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedProfile:
    """The profile that a session is expected to replay.

    Attributes:
        profile: The profile.
        source: The profile's origin, in words.
        unmeasured: The cells whose method or optimizer the session must measure first. Their times in ``profile`` are
            stand-ins.
        is_new: True if the session must also measure the model's steps first. All times in ``profile`` are then
            stand-ins.
    """

    profile: Profile
    source: str
    unmeasured: tuple[Cell, ...] = ()
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedProfiles:
    """The profiles that the timing sessions of a run are expected to replay.

    Call ``of`` for the sessions in the order in which they run: a session may replay an earlier session's profile.

    Attributes:
        directory: The results directory, which may have profiles that earlier sessions measured.
    """

    directory: Path
    _known: dict[Path, Profile] = field(default_factory=dict)

    def of(self, session: Session) -> ExpectedProfile:
        """Return the profile that a session is expected to replay: the first in this list that exists.

        1. The profile that the scenario names. It is returned unchanged.
        2. The profile that a previous call of ``of`` returned for a session with equal ``compute_fields``.
        3. The profile in the results directory that an earlier session measured.
        4. The profile that this machine keeps from earlier runs.
        5. An assumed profile. On the CPU, the model's passes and the compressors are measured briefly, and all other
           times are assumed. On a GPU, all times are 0.

        Profiles 2 to 4 may lack times. Missing times of compressors are measured briefly on this machine's CPU. Missing
        times of methods and optimizers are assumed.

        Raises:
            LiecbenchError: If a profile cannot be read, or if the model has more parameters than a profile may have.
        """
        from liecbench.worker.replay.kept_profiles import has_method, kept_path, measured_path, read_kept

        if session.cell.profile is not None:
            named = known_profile(session.cell.profile) or load_stored(self.directory, session.cell.profile)
            return ExpectedProfile(profile=named, source="the scenario's profile")
        cells = [contestant.cell for contestant in session.contestants]
        path = measured_path(session.cell, self.directory)
        before, source = self._known.get(path), "the same profile"
        if before is None and path.exists():
            before, source = read_profile(path), "the profile of an earlier session"
        elif before is None:
            before, source = read_kept(kept_path(cells)), "the profile that this machine keeps"
        missing = tuple(cell for cell in cells if before is None or not has_method(before, cell))
        profile = stand_in(cells) if before is None else with_methods(before, missing)
        if before is None:
            source = f"a profile that it measures first (now {_step(cells[0], profile)})"
        self._known[path] = profile
        return ExpectedProfile(profile=profile, source=source, unmeasured=missing, is_new=before is None)


def _step(cell: Cell, profile: Profile) -> str:
    if cell.device == "cuda":
        return "estimated without what a GPU computes"
    return f"steps of {1000 * profile.compute_seconds:.3g} ms"
