"""Child processes: start, restart, stop, and their end with the parent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pigwav.devstack.child_process import ChildProcess, Program
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.stale_processes import StaleProcesses
from pigwav.devstack.waiting import Sleeper, StopRequested
from pigwav.devstack.watch import Watch
from pigwav.errors import ChildProcessFailed
from running_up import gone

IGNORES_SIGTERM = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


@dataclass
class StopRequestingSleeper(Sleeper):
    """A Sleeper that requests a stop at the waits with these numbers."""

    at: list[int] = field(default_factory=list)
    waits: int = 0

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.stops = sum(1 for number in self.at if number <= self.waits)
        super().wait(seconds)


def program(tmp_path: Path, script: str, **more: object) -> Program:
    settings: dict = {"stop_by": ((signal.SIGTERM, 60), (signal.SIGKILL, 60))} | more
    return Program(
        "The program", ["/bin/sh", "-c", script], dict(os.environ), log=tmp_path / "child.log", **settings
    )


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(StaleProcesses(tmp_path / "children.json"), Sleeper())
    yield watch
    watch.stop()


def logged(tmp_path: Path, times: int):
    """A function: has the child process printed `ready` this number of times?"""
    return lambda: (tmp_path / "child.log").read_text().count("ready") == times


def test_a_child_process_that_dies_is_started_again(tmp_path: Path, watch: Watch):
    child = ChildProcess(program(tmp_path, "echo ready; exec sleep 60"))
    watch.start(child)
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    watch.until(logged(tmp_path, 2), what="it", within_s=60)
    assert child.is_running
    assert child.pid != first


def test_after_death_is_called_once(tmp_path: Path, watch: Watch):
    child = ChildProcess(program(tmp_path, "echo ready; exec sleep 60"))
    dead: list[int | None] = []
    watch.start(child, after_death=lambda child: dead.append(child.pid))
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    watch.until(logged(tmp_path, 2), what="it", within_s=60)
    assert dead == [first]


def test_a_child_process_may_be_another_program_at_its_next_start(tmp_path: Path, watch: Watch):
    words = iter(["first", "second", "third"])

    def renewed() -> Program:
        return program(tmp_path, f"echo {next(words)}; echo ready; exec sleep 60")

    child = ChildProcess(program(tmp_path, "never started"), renewed=renewed)
    watch.start(child)
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    os.kill(child.pid, signal.SIGKILL)
    watch.until(logged(tmp_path, 2), what="it", within_s=60)
    assert (tmp_path / "child.log").read_text().split() == ["first", "ready", "second", "ready"]


def test_parts_that_are_to_start_anew_do_so_and_the_others_stay(tmp_path: Path, watch: Watch):
    dead: list[int | None] = []
    outdated, stubborn, other = (
        ChildProcess(program(tmp_path, f"{before} echo ready; while :; do sleep 0.05; done"))
        for before in ("", "trap '' TERM;", "")
    )
    for child in (outdated, stubborn, other):
        watch.start(
            child, after_death=lambda child: dead.append(child.pid), restarts=Restarts(max_restarts=0)
        )
    watch.until(logged(tmp_path, 3), what="it", within_s=60)
    before = [child.pid for child in (outdated, stubborn, other)]
    watch.restart([outdated, stubborn], within_s=0.2)
    watch.until(logged(tmp_path, 5), what="it", within_s=60)
    assert dead == before[:2]
    assert outdated.is_running
    assert stubborn.is_running
    assert not {outdated.pid, stubborn.pid} & {*before}
    assert other.pid == before[2]
    os.kill(stubborn.pid, signal.SIGKILL)  # otherwise the fixture waits for it


def test_a_request_to_stop_ends_a_restart(tmp_path: Path):
    waiter = StopRequestingSleeper()
    watch = Watch(StaleProcesses(tmp_path / "children.json"), waiter)
    child = ChildProcess(program(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    watch.start(child)
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    waiter.at = [waiter.waits + 3]
    with pytest.raises(StopRequested):
        watch.restart([child], within_s=3600)
    assert child.exit_code == -signal.SIGKILL
    watch.stop()


def test_a_child_process_that_keeps_dying_ends_the_whole_with_its_last_words(tmp_path: Path, watch: Watch):
    watch.start(
        ChildProcess(program(tmp_path, "echo the disk is on fire; exit 7")), restarts=Restarts(max_restarts=1)
    )
    with pytest.raises(ChildProcessFailed) as failed:
        watch.until(lambda: False, what="it", within_s=60)
    assert "The program ended with exit code 7" in str(failed.value)
    assert "the disk is on fire" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_child_process_that_is_never_ready_is_not_waited_for_without_end(tmp_path: Path, watch: Watch):
    watch.start(ChildProcess(program(tmp_path, "exec sleep 60")))
    with pytest.raises(ChildProcessFailed, match="It was not ready within 0 s"):
        watch.until(lambda: False, what="It", within_s=0.1)


def test_a_program_that_is_not_there_is_named(tmp_path: Path, watch: Watch):
    missing = Program(
        "The program", ["/no/such/program"], {}, ((signal.SIGKILL, 5),), log=tmp_path / "child.log"
    )
    watch.start(ChildProcess(missing), restarts=Restarts(max_restarts=0))
    with pytest.raises(ChildProcessFailed, match="exit code 126: cannot start /no/such/program"):
        watch.until(lambda: False, what="it", within_s=60)


def test_who_does_not_hear_sigterm_is_killed(tmp_path: Path):
    watch = Watch(StaleProcesses(tmp_path / "children.json"), Sleeper())
    child = ChildProcess(
        program(tmp_path, IGNORES_SIGTERM, stop_by=((signal.SIGTERM, 0.2), (signal.SIGKILL, 10)))
    )
    watch.start(child)
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    watch.stop()
    assert child.exit_code == -signal.SIGKILL


def test_a_second_request_to_stop_hurries(tmp_path: Path):
    waiter = StopRequestingSleeper()
    watch = Watch(StaleProcesses(tmp_path / "children.json"), waiter)
    child = ChildProcess(
        program(tmp_path, IGNORES_SIGTERM, stop_by=((signal.SIGTERM, 3600), (signal.SIGKILL, 10)))
    )
    watch.start(child)
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    waiter.at = [waiter.waits + 3]
    watch.stop()
    assert child.exit_code == -signal.SIGKILL


def test_a_request_to_stop_ends_every_wait(tmp_path: Path):
    watch = Watch(StaleProcesses(tmp_path / "children.json"), StopRequestingSleeper(at=[3]))
    with pytest.raises(StopRequested):
        watch.until(lambda: False, what="it", within_s=3600)


def test_a_program_that_runs_to_its_end_is_stopped_on_request(tmp_path: Path):
    watch = Watch(StaleProcesses(tmp_path / "children.json"), StopRequestingSleeper(at=[3]))
    child = ChildProcess(program(tmp_path, "exec sleep 600"))
    with pytest.raises(StopRequested):
        watch.run(child)
    assert child.exit_code == -signal.SIGTERM


def test_leftovers_are_removed_before_a_start_and_after_the_stop(tmp_path: Path, watch: Watch):
    (tmp_path / "leftovers").touch()
    script = "test -e leftovers && echo stale; touch leftovers; echo ready; exec sleep 60"
    watch.start(ChildProcess(program(tmp_path, script, folder=tmp_path, leftovers=(tmp_path / "leftovers",))))
    watch.until(logged(tmp_path, 1), what="it", within_s=60)
    assert "stale" not in (tmp_path / "child.log").read_text()
    watch.stop()
    assert not (tmp_path / "leftovers").exists()


def test_a_child_finds_the_signals_that_python_ignores_as_programs_expect_them(tmp_path: Path, watch: Watch):
    """If SIGPIPE were ignored, a program would write to a closed pipe forever."""
    child = ChildProcess(program(tmp_path, "grep SigIgn /proc/self/status; echo ready"))
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    watch.run(child)
    ignored = int((tmp_path / "child.log").read_text().split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))
    assert not ignored & (1 << (signal.SIGXFSZ - 1))


def test_a_child_gets_the_descriptors_named_and_no_other(tmp_path: Path, watch: Watch):
    read, write = os.pipe()
    os.set_inheritable(read, True)  # noqa: FBT003 - positional only
    try:
        watch.run(
            ChildProcess(
                program(
                    tmp_path,
                    f"echo said > /dev/fd/{write}; ls /dev/fd > fds",
                    folder=tmp_path,
                    inherits=(write,),
                )
            )
        )
        assert os.read(read, 10) == b"said\n"
        assert str(read) not in (tmp_path / "fds").read_text().split()
    finally:
        os.close(read)
        os.close(write)


KILLED = """
import os, pathlib, signal, sys
from pigwav.devstack.child_process import ChildProcess, Program
child = ChildProcess(Program("p", ["/bin/sleep", "600"], {}, ((signal.SIGKILL, 5),), log=pathlib.Path(sys.argv[1])))
child.start()
print(child.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux, child processes end with their parent")
def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert gone([child], within_s=30)


def test_what_a_killed_predecessor_left_is_ended_and_tidied(tmp_path: Path):
    with subprocess.Popen(["sleep", "600"]) as orphan:
        left = Program(
            "p", ["sleep", "600"], {}, (), leftovers=(tmp_path / "socket",), temporary=tmp_path / "folder"
        )
        (tmp_path / "socket").touch()
        (tmp_path / "folder").mkdir()
        stale = StaleProcesses(tmp_path / "children.json")
        stale.record([as_if_running(left, orphan.pid)])
        stale.clear(Sleeper())
        assert orphan.wait(5) == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


def test_a_record_of_a_version_that_knew_no_leftovers_is_read(tmp_path: Path):
    record = tmp_path / "children.json"
    with subprocess.Popen(["sleep", "600"]) as orphan:
        stale = StaleProcesses(record)
        stale.record([as_if_running(Program("p", ["sleep", "600"], {}, ()), orphan.pid)])
        [entry] = json.loads(record.read_text())
        del entry["leftovers"]
        record.write_text(json.dumps([entry]))
        stale.clear(Sleeper())
        assert orphan.wait(5) == -signal.SIGKILL


def test_another_program_with_a_recorded_pid_is_left_alone(tmp_path: Path):
    with subprocess.Popen(["sleep", "600"]) as unrelated:
        stale = StaleProcesses(tmp_path / "children.json")
        stale.record([as_if_running(Program("p", ["weed", "mini"], {}, ()), unrelated.pid)])
        stale.clear(Sleeper())
        assert unrelated.poll() is None
        unrelated.kill()


def as_if_running(program: Program, pid: int) -> ChildProcess:
    class Running(ChildProcess):
        @property
        def pid(self) -> int:
            return pid

    return Running(program)
