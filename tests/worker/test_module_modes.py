import torch
from torch import Tensor, nn

from liecbench.worker.module_modes import evaluation_mode


class Merging(nn.Module):
    """A layer that adds its update to its weight in eval mode, as LoRA layers do, and takes it back for training."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.update, self.is_merged = torch.ones(2), torch.ones(2), False

    def train(self, mode: bool = True) -> "Merging":
        super().train(mode)
        if self.is_merged == mode:
            self.weight += self.update * (-1 if mode else 1)
            self.is_merged = not mode
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.weight


def test_evaluation_restores_each_modules_mode_and_calls_train() -> None:
    merging, frozen = Merging(), nn.BatchNorm1d(2).eval()
    model = nn.Sequential(merging, frozen)
    frozen.eval()
    with evaluation_mode(model):
        during = merging.weight.tolist(), [module.training for module in model.modules()]

    assert during == ([2, 2], [False] * 3)
    assert merging.weight.tolist() == [1, 1]
    assert [module.training for module in model.modules()] == [True, True, False]
    with evaluation_mode(model.eval()):
        pass
    assert (merging.weight.tolist(), merging.training) == ([2, 2], False)
