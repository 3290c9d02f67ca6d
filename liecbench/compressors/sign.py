"""The compressors Sign, BlockSign and SignL2, which send one bit per element and one scale per message."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs.scale import SCALE_BYTES, body_of, scale_is_finite, scale_of
from liecbench.compressors.kernels import cpu


@dataclass(frozen=True)
class Sign(Compressor):
    """C(v) = mean|v| · sign(v), 1 bit per parameter and one float32 scale; sign(±0) = +1.

    A δ-contraction with δ = ‖v‖₁² / (n ‖v‖₂²). Source: LIEC-SGD (arXiv 2402.11857), definition 4 (SignSGD).
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("magnitude", "sign")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.sign:SignOnGpu"

    def payload_bytes(self, numel: int) -> int:
        """Return a message's number of bytes: 4 for the scale, plus one per 8 elements, rounded up."""
        return SCALE_BYTES + (numel + 7) // 8

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is the mean magnitude in ``vector``, and the sign of each entry to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        self._encode_with_scale(cpu.magnitude.mean_magnitude(vector.numpy()), vector, payload, residual)

    def _encode_with_scale(self, scale: float, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        values, bits = vector.numpy(), body_of(payload).numpy()
        scale_of(payload).fill_(scale)
        if residual is None:
            cpu.sign.pack(values, bits)
        else:
            in_place = residual.data_ptr() == vector.data_ptr()
            cpu.sign.pack_with_residual(values, scale, bits, residual.numpy(), in_place)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · sign of each element to ``out``, or add it to ``out`` if ``accumulate``."""
        unpack = cpu.sign.unpack_add if accumulate else cpu.sign.unpack
        unpack(body_of(payload).numpy(), scale_of(payload).item() * weight, out.numpy())

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scale in ``payload`` is finite, as a boolean tensor of shape [].

        The scale is NaN or infinite if any element of the vector before compression is NaN or infinite.
        """
        return scale_is_finite(payload)


@dataclass(frozen=True)
class BlockSign(Sign):
    """Blockwise SignSGD: the same as ``Sign``, for gradient blocks of 5 MiB, as in the paper's runs.

    A scenario with this compressor has blocks of 5 MiB unless it sets ``block_bytes``. In Python, pass
    ``block_bytes=5 * 2**20`` to the algorithm.

    Source: LIEC-SGD (arXiv 2402.11857), definition 5.
    """

    preferred_block_bytes: ClassVar[int] = 5 * 2**20


@dataclass(frozen=True)
class SignL2(Sign):
    """C(v) = ‖v‖₂/√n · sign(v), which keeps the norm ‖v‖₂; 1 bit per parameter, one float32 scale; sign(±0) = +1.

    The relative squared error is 2 (1 − ‖v‖₁ / (√n ‖v‖₂)), 0.404 for Gaussian entries. It exceeds 1, and C is no
    contraction, if few entries hold most of v (‖v‖₁ < ½ √n ‖v‖₂). So methods with error feedback refuse this
    compressor, except ``onebit_adam``. Source: 1-bit Adam (Tang et al. 2021, arXiv 2102.02888), as in DeepSpeed.
    """

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.sign:SignL2OnGpu"
    error_memory_refusal: ClassVar[str] = (
        "its scale ‖v‖₂/√n is too large for a vector of which few entries hold most; "
        "take sign, which scales by mean|v|, or onebit_adam, the method that sign_l2 is made for"
    )

    @property
    def is_contraction(self) -> bool:
        """False, because the error may be larger than the vector."""
        return False

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is the root mean square of ``vector``, and the sign of each entry to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        self._encode_with_scale(cpu.magnitude.root_mean_square(vector.numpy()), vector, payload, residual)
