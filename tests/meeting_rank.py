"""A rank that joins the others as its plan says, adds up a vector with them, and sends what that took."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from liecbench.launch.events import CaseMeasured
from liecbench.launch.plans import TrainingPlan
from liecbench.network.emulation import WorkerLink
from liecbench.worker import entry

NUMEL: Final = 2**18


def _body() -> entry.Body[TrainingPlan]:
    import torch
    import torch.distributed as dist

    from liecbench.network.link_map import LinkMap
    from liecbench.worker.backend_variables import Backend
    from liecbench.worker.device import rank_device
    from liecbench.worker.event_writer import EventWriter
    from liecbench.worker.process_group import join

    def meet(plan: TrainingPlan, events: Path, link: WorkerLink | None) -> None:
        join(plan, timedelta(minutes=1))
        me, device = dist.get_rank(), rank_device(plan.device)
        everyone = [-1] * dist.get_world_size()
        dist.all_gather_object(everyone, me)
        dist.barrier()
        # An NCCL barrier, or an object on its way over NCCL, would have taken memory of the GPU.
        control_bytes = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
        if link is not None:
            link.shape(LinkMap.parse("1gbit").of(me))
        dist.barrier()
        before = link.wire_bytes() if link is not None else (0, 0)
        vector = torch.ones(NUMEL, device=device)
        dist.all_reduce(vector)
        total = float(vector.sum())
        dist.barrier()
        sent = link.wire_bytes()[0] - before[0] if link is not None else None
        figures = {"ranks": everyone, "total": total, "sent": sent, "control_bytes": control_bytes}
        described = Backend.of(plan, shaped=link is not None).describe()
        EventWriter(events).send(CaseMeasured(case=0, figures={**figures, **described}, link={}))
        dist.destroy_process_group()

    return meet


if __name__ == "__main__":
    entry.run(TrainingPlan, _body)
