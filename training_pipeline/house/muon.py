"""Muon in fp32: momentum whose update is made orthogonal, for the matrices of a small model.

The optimiser in torch iterates in bf16, which a CPU without AVX-512 computes slowly.
"""

from collections.abc import Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: torch.Tensor, steps: int = 4) -> torch.Tensor:
    """The nearest semi-orthogonal matrix, roughly, by Newton-Schulz iteration.

    Args:
        matrix: shape (rows, columns), not all zero.
        steps: iterations; four bring all but the smallest singular values near one.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x: torch.Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum.

    Args:
        params: matrices only.
        lr: learning rate: the size of a step in spectral norm, times the square root of rows
            by columns for tall matrices.
        momentum: decay of the running sum of gradients, 0..1.
        weight_decay: decoupled, multiplied by ``lr``.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient; ``closure`` is not used."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(matrix)
                running = state["momentum"]
                running.lerp_(matrix.grad, 1 - group["momentum"])
                ahead = matrix.grad.lerp(running, group["momentum"])
                update = orthogonalise(ahead)
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * scale)
