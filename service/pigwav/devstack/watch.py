"""Keeps child processes running: one that dies is restarted; one that keeps dying stops the whole stack."""

import math
import os
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from pigwav.devstack.child_process import ChildProcess
from pigwav.devstack.events import warn
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.stale_processes import StaleProcesses
from pigwav.devstack.waiting import POLL_S, StopRequested, Waiter
from pigwav.errors import ChildProcessFailed


@dataclass
class _Supervised:
    child: ChildProcess
    after_death: Callable[[ChildProcess], None]
    restarts: Restarts
    start_at: float | None = None

    def restart_if_dead(self, now_s: float) -> bool:
        """Returns whether the child process was restarted."""
        if self.child.is_running:
            return False
        if self.start_at is None:
            self.start_at = now_s + self._on_exit(now_s)
        if now_s < self.start_at:
            return False
        self.start_at = None
        self.child.start()
        return True

    def _on_exit(self, now_s: float) -> float:
        self.after_death(self.child)
        delay_s = self.restarts.delay_s(now_s)
        if delay_s is None:
            raise ChildProcessFailed(f"{self.child.exit_summary()} (restarting it did not help)")
        warn(
            "child_process_died",
            process=self.child.program.name,
            exit_code=self.child.exit_code,
            restart_in_s=delay_s,
        )
        return delay_s


class Watch:
    """The child processes that should be running, in the order of their start."""

    def __init__(self, stale: StaleProcesses, waiter: Waiter) -> None:
        self._stale_processes = stale
        self._waiter = waiter
        self._kept: list[_Supervised] = []

    def start(
        self,
        child: ChildProcess,
        *,
        after_death: Callable[[ChildProcess], None] = lambda _child: None,
        restarts: Restarts | None = None,
    ) -> None:
        self._kept.append(_Supervised(child, after_death, restarts or Restarts()))
        child.start()
        self._record()

    def run(self, child: ChildProcess) -> None:
        """Runs a child process until it ends. Raises StopRequested, after stopping the process."""
        child.start()
        try:
            while child.is_running:
                self.pause(POLL_S)
        finally:
            self.stop([child])

    def check(self) -> None:
        """Restarts child processes that died. Raises ChildProcessFailed if one died too often."""
        now_s = time.monotonic()
        self._reap_orphans()
        restarted = [kept for kept in self._kept if kept.restart_if_dead(now_s)]
        if restarted:
            self._record()

    def pause(self, seconds: float) -> None:
        """Waits up to `seconds`, or until a child process ends. Raises StopRequested."""
        pending = any(kept.start_at is not None for kept in self._kept)
        self._waiter.wait(POLL_S if pending else seconds)
        if self._waiter.stops:
            raise StopRequested

    def until(self, is_ready: Callable[[], bool], *, what: str, within_s: float) -> None:
        """Checks the child processes until `is_ready()`. Raises ChildProcessFailed, StopRequested."""
        deadline = time.monotonic() + within_s
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise ChildProcessFailed(f"{what} was not ready within {within_s:.0f} s.")
            self.pause(POLL_S)

    def stop(self, children: Iterable[ChildProcess] | None = None) -> None:
        """Stops these child processes (None: all) and waits. A further stop signal sends the next signal at once."""
        leaving = [kept.child for kept in self._kept] if children is None else list(children)
        self._kept = [kept for kept in self._kept if kept.child not in leaving]
        self._end(leaving)
        for child in leaving:
            child.clean_up()
        self._record()

    def restart(self, children: Collection[ChildProcess], *, within_s: float) -> None:
        """Restarts these child processes at the same time. One that runs after `within_s` seconds gets the next signal.

        Raises StopRequested.
        """
        self._end(children, within_s=within_s)
        if self._waiter.stops:
            raise StopRequested
        for kept in self._kept:
            if kept.child in children:
                kept.after_death(kept.child)
                kept.start_at = None
                kept.child.start()
        self._record()

    def _end(self, children: Collection[ChildProcess], *, within_s: float = math.inf) -> None:
        for child in children:
            child.begin_stop()
        escalate_at = time.monotonic() + within_s
        stops_before = self._waiter.stops
        while [child for child in children if child.is_stopping()]:
            self._waiter.wait(POLL_S)
            if self._waiter.stops > stops_before or time.monotonic() > escalate_at:
                stops_before, escalate_at = self._waiter.stops, math.inf
                for child in children:
                    child.escalate()

    def _reap_orphans(self) -> None:
        """Reaps orphaned processes if we are pid 1 of a container: there, nothing else reaps them."""
        if os.getpid() != 1:
            return
        ours = {kept.child.pid for kept in self._kept}
        with suppress(ChildProcessError):
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid in ours:
                    return  # its ChildProcess reaps it; other ended processes are reaped at the next check
                os.waitpid(dead.si_pid, 0)

    def _record(self) -> None:
        if self._kept:
            self._stale_processes.record(kept.child for kept in self._kept)
        else:
            self._stale_processes.forget()
