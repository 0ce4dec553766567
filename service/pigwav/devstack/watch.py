"""Keeping parts running: one that dies is started again, one that keeps dying ends the whole."""

import math
import os
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from pigwav.devstack.part import Part
from pigwav.devstack.remains import Remains
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.waiting import POLL_S, StopRequested, Waiter
from pigwav.errors import PartFailed
from pigwav.telemetry.logs import log


@dataclass
class _Kept:
    part: Part
    after_death: Callable[[Part], None]
    restarts: Restarts
    start_at: float | None = None

    def tend(self, now_s: float) -> bool:
        """Whether the part was started again."""
        if self.part.is_running:
            return False
        if self.start_at is None:
            self.start_at = now_s + self._mourn(now_s)
        if now_s < self.start_at:
            return False
        self.start_at = None
        self.part.start()
        return True

    def _mourn(self, now_s: float) -> float:
        self.after_death(self.part)
        delay_s = self.restarts.delay_s(now_s)
        if delay_s is None:
            raise PartFailed(f"{self.part.obituary()} (and so did its restarts)")
        log.warning(
            "part_died", part=self.part.program.name, exit_code=self.part.exit_code, restart_in_s=delay_s
        )
        return delay_s


class Watch:
    """The parts that should be running, in the order of their start."""

    def __init__(self, remains: Remains, waiter: Waiter) -> None:
        self._remains = remains
        self._waiter = waiter
        self._kept: list[_Kept] = []

    def start(
        self,
        part: Part,
        *,
        after_death: Callable[[Part], None] = lambda _part: None,
        restarts: Restarts | None = None,
    ) -> None:
        self._kept.append(_Kept(part, after_death, restarts or Restarts()))
        part.start()
        self._record()

    def run(self, part: Part) -> None:
        """Run a part to its end. Raises StopRequested, and then the part is gone, too."""
        part.start()
        try:
            while part.is_running:
                self.pause(POLL_S)
        finally:
            self.stop([part])

    def tend(self) -> None:
        """Start again what died. Raises PartFailed when that does not help."""
        now_s = time.monotonic()
        self._bury_orphans()
        restarted = [kept for kept in self._kept if kept.tend(now_s)]
        if restarted:
            self._record()

    def pause(self, seconds: float) -> None:
        """Wait for news. Raises StopRequested."""
        pending = any(kept.start_at is not None for kept in self._kept)
        self._waiter.wait(POLL_S if pending else seconds)
        if self._waiter.stops:
            raise StopRequested

    def until(self, is_ready: Callable[[], bool], *, what: str, within_s: float) -> None:
        """Tend until ready. Raises PartFailed, StopRequested."""
        give_up = time.monotonic() + within_s
        while not is_ready():
            self.tend()
            if time.monotonic() > give_up:
                raise PartFailed(f"{what} was not ready within {within_s:.0f} s.")
            self.pause(POLL_S)

    def stop(self, parts: Iterable[Part] | None = None) -> None:
        """End these parts (or all) at the same time, and wait; a further request to stop makes it brisk."""
        leaving = [kept.part for kept in self._kept] if parts is None else list(parts)
        self._kept = [kept for kept in self._kept if kept.part not in leaving]
        self._end(leaving)
        for part in leaving:
            part.clean_up()
        self._record()

    def restart(self, parts: Collection[Part], *, within_s: float) -> None:
        """Start these parts anew, at the same time; one that does not end by then is made to. Raises StopRequested."""
        self._end(parts, within_s=within_s)
        if self._waiter.stops:
            raise StopRequested
        for kept in self._kept:
            if kept.part in parts:
                kept.after_death(kept.part)
                kept.start_at = None
                kept.part.start()
        self._record()

    def _end(self, parts: Collection[Part], *, within_s: float = math.inf) -> None:
        for part in parts:
            part.begin_stop()
        hurry_at = time.monotonic() + within_s
        patience = self._waiter.stops
        while [part for part in parts if part.is_stopping()]:
            self._waiter.wait(POLL_S)
            if self._waiter.stops > patience or time.monotonic() > hurry_at:
                patience, hurry_at = self._waiter.stops, math.inf
                for part in parts:
                    part.hurry()

    def _bury_orphans(self) -> None:
        """As a container's first process we inherit whom the dead leave behind; nobody else takes their last words."""
        if os.getpid() != 1:
            return
        ours = {kept.part.pid for kept in self._kept}
        with suppress(ChildProcessError):
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid in ours:
                    return  # its part sees to it, and then the next is in front
                os.waitpid(dead.si_pid, 0)

    def _record(self) -> None:
        if self._kept:
            self._remains.record(kept.part for kept in self._kept)
        else:
            self._remains.forget()
