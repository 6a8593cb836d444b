"""What every program of the benchmark shares: a clock for its stages and the JSON line that it prints."""

import json
import time
from typing import Any


class Clock:
    """Seconds per stage, one stage at a time.

    Parameters
    ----------
    stage
        The stage that begins now.
    """

    def __init__(self, stage: str) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = stage, time.perf_counter()

    def stage(self, name: str) -> None:
        """End the running stage and begin another; the same name again goes on with it."""
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = name, now

    def tell(self, **facts: Any) -> None:
        """End the running stage and print one JSON line: seconds per stage, and facts about the result."""
        self.stage("")
        print(json.dumps({"seconds": self.seconds, "facts": facts}, default=str), flush=True)
