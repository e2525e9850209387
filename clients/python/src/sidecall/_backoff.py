"""How long to wait before the same thing is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass
class Backoff:
    """Doubles up to a cap, with full jitter so that many do not come back at once."""

    first: float = 0.05
    most: float = 5.0
    _step: int = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait now."""
        span = min(self.most, self.first * 2**self._step)
        self._step = min(self._step + 1, 20)
        return at_least + random.uniform(0, span)  # noqa: S311

    def reset(self) -> None:
        """It went well: begin anew."""
        self._step = 0
