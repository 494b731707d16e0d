"""One training on several processes: everything that knows of it is here.

Started by `torchrun`, N processes, one per GPU or CPU share, work on equal parts of each batch and
end with the weights of one process that had the whole batch, up to the rounding of sums.  Three
things make that so:

* Whatever a loss compares is gathered from all processes with its gradient (`gather`), so that all
  of them compute the same loss: contrast finds its negatives in the whole batch.
* Batch norm takes its mean and variance over all processes (`share`).
* Parameter gradients are averaged over processes (`DistributedDataParallel`).

Gathering sums the gradients of N equal losses, averaging divides by N: the result is the gradient
of the loss of the whole batch, for weights before and after the gathering.

torch's own collectives are used: beside per-sample seeds and own checkpoints accelerate would bring
little but a user's configuration file.  Alone, every function here hands back what it was given.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ..errors import ConfigError
from . import stopping


def start(device: str) -> None:
    """Join the processes that torchrun started, over NCCL on GPUs, over gloo on `cpu`."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo")


def end() -> None:
    """Leave the group."""
    if size() > 1:
        dist.destroy_process_group()


def size() -> int:
    """Return the number of processes, N; 1 for a process of its own."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, 0 … N − 1."""
    return dist.get_rank() if size() > 1 else 0


def leads() -> bool:
    """Say whether this process is the one that writes files."""
    return rank() == 0


def wait() -> None:
    """Wait until all processes have come here."""
    if size() > 1:
        dist.barrier()


def any_asked() -> bool:
    """Say whether a signal asked any of the processes to stop; all get the same answer."""
    if size() == 1:
        return stopping.asked()
    place = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flag = torch.tensor(float(stopping.asked()), device=place)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def gather(tensor: Tensor, dim: int = 0) -> Tensor:
    """Put the parts of all processes together along `dim`, in the order of the batch.

    Gradients flow back to the process that a part came from.
    """
    return tensor if size() == 1 else _Gather.apply(tensor, dim)


class _Gather(torch.autograd.Function):
    """All-gather; backwards the gradients of all processes are summed and each takes its part.

    `torch.distributed.nn.functional.all_gather` does the same, but over gloo torch 2.11 mixes up
    the elements of gradients that are dense and not contiguous, which those of v are.
    """

    @staticmethod
    def forward(ctx, part: Tensor, dim: int) -> Tensor:
        ctx.dim, part = dim, part.contiguous()
        parts = [torch.empty_like(part) for _ in range(size())]
        dist.all_gather(parts, part)
        return torch.cat(parts, dim)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(size(), ctx.dim)[rank()], None


def parallel(method: nn.Module) -> Callable[..., dict[str, Tensor]]:
    """Return what the loop calls: the method, with gradients averaged over processes."""
    if size() == 1:
        return method
    # torch warns once that gradients of 1×1×1 filters lie otherwise in memory; values are the same.
    return DistributedDataParallel(method, broadcast_buffers=False)


def share(module: nn.Module) -> None:
    """Let every batch norm inside `module` see the whole batch; parameters and names stay."""
    if size() == 1:
        return
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, _of_all(child))
        else:
            share(child)


def _of_all(norm: _BatchNorm) -> _BatchNorm:
    if dist.get_backend() == "nccl":
        return nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    shared = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine)
    shared._parameters, shared._buffers = norm._parameters, norm._buffers
    return shared.train(norm.training)


class SharedBatchNorm(_BatchNorm):
    """Batch norm over the parts of all processes on any device; torch's own needs CUDA.

    Mean and variance are averages over equal parts, by an all-reduce with a gradient.
    """

    def _check_input_dim(self, _: Tensor) -> None: ...
    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[N, C, ...]` per channel C; in eval mode by the running statistics."""
        if not self.training:
            return super().forward(x)
        dims = [d for d in range(x.dim()) if d != 1]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # bfloat16 cannot add so many
        mean = _average(wide.mean(dims))
        centred = wide - mean.view(shape)
        var = _average(centred.square().mean(dims))
        with torch.no_grad():
            n = size() * x.numel() // x.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
        scale = (var + self.eps).rsqrt()
        if not self.affine:
            return (centred * scale.view(shape)).to(x.dtype)
        scale = scale * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)


def _average(part: Tensor) -> Tensor:
    from torch.distributed.nn.functional import all_reduce  # slow to import, seldom needed

    return all_reduce(part) / size()


def own_part(whole: DataLoader) -> DataLoader:
    """Return a loader of this process's part of every batch.

    Raises:
        ConfigError: a batch cannot be divided among the processes.
    """
    if size() == 1:
        return whole
    same = {"num_workers": whole.num_workers, "collate_fn": whole.collate_fn}
    return DataLoader(whole.dataset, batch_sampler=_Part(whole.batch_sampler), **same)


class _Part:
    """This process's part of every batch."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            length, rest = divmod(len(batch), size())
            if rest:
                raise ConfigError(
                    f"a batch of {len(batch)} cannot be divided among {size()} processes; choose "
                    f"batch sizes that are multiples of {size()}."
                )
            yield batch[rank() * length : (rank() + 1) * length]
