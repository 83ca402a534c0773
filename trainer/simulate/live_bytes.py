"""Counting the bytes of live fake tensors: the memory that a step would take on a GPU, without one."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

TensorRole = Literal["base", "adapter", "gradients", "optimizer", "activations"]
"""What a tensor's memory is used for."""

BLOCK_BYTES = 512
"""CUDA's allocator gives memory in multiples of this."""


def block_bytes(number: int) -> int:
    """What the allocator counts for so many bytes."""
    return -(-number // BLOCK_BYTES) * BLOCK_BYTES


class LiveBytes(TorchDispatchMode):
    """Within it, the bytes of all living tensors are known by what they are for, and the most that there were.

    Every storage that an operation gives is counted once, in whole blocks, until it is freed.
    """

    def __init__(self) -> None:
        """Count from the moment it is entered."""
        super().__init__()
        self.now: Counter[TensorRole] = Counter()
        self.peak: dict[TensorRole, int] = {}
        self._role: TensorRole | None = "activations"
        self._living: dict[int, tuple[TensorRole, int]] = {}
        self._total = self._most = 0

    @contextmanager
    def counting_as(self, role: TensorRole | None) -> Iterator[None]:
        """Within, what is made counts as this; None: it lies elsewhere and counts nothing."""
        before, self._role = self._role, role
        try:
            yield
        finally:
            self._role = before

    def forget_peak(self) -> None:
        """Look for the peak from here on."""
        self._most, self.peak = self._total, dict(self.now)

    def gradients_of(self, parameters: Sequence[Tensor]) -> None:
        """From now on these leaves' gradients count as such."""
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._is_gradient)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count what it gives."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return out

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._living:
            return
        role: TensorRole = self._role or "base"
        number = 0 if self._role is None else block_bytes(storage.nbytes())
        self._living[key] = (role, number)
        weakref.finalize(storage, self._freed, key)
        self.now[role] += number
        self._total += number
        if self._total > self._most:
            self._most, self.peak = self._total, dict(self.now)

    def _freed(self, key: int) -> None:
        role, number = self._living.pop(key)
        self.now[role] -= number
        self._total -= number

    def _is_gradient(self, parameter: Tensor) -> None:
        if parameter.grad is None:
            return
        key = parameter.grad.untyped_storage()._cdata
        if key not in self._living:
            return
        role, number = self._living[key]
        self._living[key] = ("gradients", number)
        self.now[role] -= number
        self.now["gradients"] += number


class Operations(TorchDispatchMode):
    """Counts multiplications and additions, by torch's own formulas and attention's for its kernel on CPUs."""

    def __init__(self) -> None:
        """Count from the moment it is entered."""
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func._overloadpacket
        if packet.__name__ == "_scaled_dot_product_flash_attention_for_cpu":
            self.total += sdpa_flop_count(*(tensor.shape for tensor in args[:3]))
        elif packet.__name__ == "_scaled_dot_product_flash_attention_for_cpu_backward":
            self.total += sdpa_backward_flop_count(*(tensor.shape for tensor in args[:4]))
        elif packet in flop_registry:
            self.total += flop_registry[packet](*args, **kwargs, out_val=out)
        return out


NOT_WORK = frozenset({"prim::device"})
"""What fake tensors alone ask of torch."""


class Calls(TorchDispatchMode):
    """Counts the operations that torch dispatches, views included: each takes the processor's time, and the card waits
    for it where it is done sooner."""

    def __init__(self) -> None:
        """Count from the moment it is entered."""
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        self.total += func._schema.name not in NOT_WORK
        return func(*args, **(kwargs or {}))


NOT_LAUNCHED = NOT_WORK | {"aten::_unsafe_view", "aten::empty", "aten::empty_like", "aten::new_empty"}
"""What starts nothing on a card, beside views."""


class Launches(TorchDispatchMode):
    """Counts the operations that start work on a card: views and bare allocations are left out.

    An operation on a list of tensors (`torch._foreach_*`) counts once; a card is started for it once for some tens of
    tensors.
    """

    def __init__(self) -> None:
        """Count from the moment it is entered."""
        super().__init__()
        self.total = self.casts = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        name = func._schema.name
        if not func.is_view and name not in NOT_LAUNCHED:
            self.total += 1
            self.casts += name == "aten::_to_copy"
        return func(*args, **(kwargs or {}))
