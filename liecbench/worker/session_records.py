"""Write the start and end records of the cells that a timing session times."""

from liecbench.config.jobs import Contestant, Session
from liecbench.config.own_code import code_files
from liecbench.results.environment_record import Environment
from liecbench.results.records import End, Start, Status, utc_now
from liecbench.worker.cell_link import CellLink
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.label_facts import describe_test_set


def record_starts(session: Session, surroundings: dict[str, object], writer: RecordWriter) -> None:
    """Write a start record to the ledger for each cell that a session is to complete.

    Call this function before the session times its first step.

    Args:
        session: The session.
        surroundings: The facts of the environment that are equal for all these cells.
        writer: The ledger's writer.
    """
    for job in session.jobs:
        writer.record(
            Start(
                cell=job.cell.id,
                attempt=job.attempt,
                at=utc_now(),
                epochs_done=0,
                spec=job.cell.spec(),
                environment=Environment.of(
                    {
                        **surroundings,
                        "data_sha256": job.data_sha256,
                        "test_set": describe_test_set(job.cell.task),
                        # The losses are those of the code that trained them.
                        "code": dict(job.code) or code_files(job.cell) or None,
                    }
                ),
            )
        )


def record_ends(
    contestant: Contestant, link: CellLink, writer: RecordWriter | None, status: Status, error: str | None
) -> None:
    """Record the end of each cell of a contestant; do nothing if ``writer`` is None, as on all ranks but 0.

    Args:
        contestant: The contestant, a method whose steps were timed.
        link: This rank's link.
        writer: The ledger's writer.
        status: Whether the cells are completed or have failed.
        error: The error; None if they are completed.
    """
    for job in contestant.jobs if writer is not None else ():
        assert writer is not None
        tally = link.tally()
        writer.record(End(cell=job.cell.id, attempt=job.attempt, status=status, error=error, link=tally))
