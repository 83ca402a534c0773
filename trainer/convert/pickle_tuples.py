"""How large the tuples of a pickle are that hold one another: what it takes to hash one that is a key.

A tuple that holds another twice, and is held twice itself, costs four times as much to hash, although it is written in
a few bytes; with forty of them nobody waits for the end. The stack of the pickle's machine is followed by
the numbers of objects alone; nothing is made.
"""

from __future__ import annotations

import pickletools
from typing import Any

MADE_OF_OTHERS = frozenset(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "REDUCE"))
"""Instructions whose result is hashed by hashing what it was made of; lists and dicts cannot be hashed."""


class TupleSizes:
    """The stack and the memory of one pickle."""

    def __init__(self) -> None:
        """Before its first instruction."""
        self._stack = list[int | None]()
        """Objects in each, itself counted; None: a mark."""
        self._memo = dict[int, int]()

    def after(self, opcode: pickletools.OpcodeInfo, argument: Any) -> int:
        """Objects in what the instruction has made, those counted again that are in it several times; 1 of all but
        tuples. That the stack holds what is taken off it is another's to check.
        """
        if opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo.get(int(argument), 1))
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[int(argument)] = self._last()
        elif opcode.name == "MEMOIZE":
            self._memo[len(self._memo)] = self._last()
        else:
            taken = self._taken(opcode)
            made = 1 + sum(taken) if opcode.name in MADE_OF_OTHERS else 1
            self._stack += [None if kind is pickletools.markobject else made for kind in opcode.stack_after]
        return self._last()

    def _taken(self, opcode: pickletools.OpcodeInfo) -> list[int]:
        """What an instruction takes off the stack."""
        taken = list[int]()
        for kind in reversed(opcode.stack_before):
            if kind is pickletools.stackslice:
                while self._stack and self._stack[-1] is not None:
                    taken.append(self._last())
                    self._stack.pop()
            elif self._stack and (size := self._stack.pop()) is not None:
                taken.append(size)
        return taken

    def _last(self) -> int:
        return (self._stack[-1] if self._stack else None) or 1
