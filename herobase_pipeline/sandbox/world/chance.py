"""Chance without state: the same keys give the same 64 random bits, one at a time or a million at once (splitmix64)."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

_GOLDEN = 0x9E3779B97F4A7C15
_M1, _M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def bits(*keys: int) -> int:
    """64 random bits for a tuple of whole numbers."""
    h = 0
    for key in keys:
        h = (h + _GOLDEN + (key & _MASK) * 0xD1342543DE82EF95) & _MASK
        h = ((h ^ (h >> 30)) * _M1) & _MASK
        h = ((h ^ (h >> 27)) * _M2) & _MASK
        h ^= h >> 31
    return h


def many(key: int, values: Array) -> Array:
    """64 random bits (uint64) for each of ``values`` (whole numbers) under ``key``."""
    h = values.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
    h += np.uint64(bits(key))
    h ^= h >> np.uint64(30)
    h *= np.uint64(_M1)
    h ^= h >> np.uint64(27)
    h *= np.uint64(_M2)
    h ^= h >> np.uint64(31)
    return h


def below(random: Array, limit: Array | int, shift: int = 0) -> Array:
    """Turn 32 of the random bits, from bit ``shift`` on, into whole numbers ``0 <= x < limit`` (int64)."""
    part = (random >> np.uint64(shift)) & np.uint64(0xFFFFFFFF)
    return ((part * np.asarray(limit).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


class Draws:
    """A stream of draws from one key, for what is made once when a world is built."""

    def __init__(self, *keys: int) -> None:
        self._state = bits(*keys)

    def uniform(self) -> float:
        """Draw a number, ``0 <= x < 1``."""
        self._state = (self._state + _GOLDEN) & _MASK
        h = self._state
        h = ((h ^ (h >> 30)) * _M1) & _MASK
        h = ((h ^ (h >> 27)) * _M2) & _MASK
        return ((h ^ (h >> 31)) >> 11) / (1 << 53)

    def happens(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self.uniform() < probability

    def between(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return low + int(self.uniform() * (high - low + 1))

    def one_of(self, weights: dict[Any, float]) -> Any:
        """Draw one key of ``weights``, as often as its weight says."""
        u = self.uniform() * sum(weights.values())
        for key, weight in weights.items():
            u -= weight
            if u < 0:
                return key
        return key
