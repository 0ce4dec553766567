"""What a compromised decoder can do. Uses real processes and this machine's kernel."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import psutil
import pytest

from converting import FFMPEG, decoders_running
from needs import skip_or_fail
from pigwav.audio import confine
from pigwav.audio.confinement import Confinement, confinement_of
from pigwav.audio.decoder_process import decode
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header
from pigwav.audio.fmt import WavFormat
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import Overloaded, UndecodableAudio
from running_up import gone

HERE: Final = Path(__file__).parent
CONFINE: Final = Path(confine.__file__)
ADPCM: Final = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)
SLOW: Final = WavFormat("pcm_s16le", 767_999, 32, 16, block_bytes=64, block_samples=1)
"""Needs resampling and downmix: much CPU time for few bytes."""
SANDBOX: Final = ("limits", "privileges", "capabilities", "landlock", "lifetime", "seccomp")
FILES: Final = {
    "read a file",
    "list a folder",
    "write to a file",
    "make a file",
    "cut a file",
    "remove a file",
}
METADATA: Final = {"learn a file's size", "learn whether a file exists"}
"""What no means keeps away: service/docs/security.md says why."""
BEYOND_ITSELF: Final = {
    "write to a file",
    "make a file",
    "cut a file",
    "change a file's mode",
    "remove a file",
    "list a folder",
    "make a file in memory",
    "open a TCP connection",
    "listen on TCP",
    "send a datagram",
    "make a Unix socket",
    "signal the server",
    "have the server signalled",
    "change the server's limits",
    "fork",
}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="except for limits, confinement works only on Linux"
)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A WAV that the decoder must not be able to read."""
    path = tmp_path / "secret.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"secret" * 100)
    path.with_name("secret.wav.old").touch()
    return path


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


@pytest.fixture(scope="module")
def sandbox() -> Confinement:
    """The confinement of decoders on this machine. Skips the tests if the kernel does not support all of it."""
    found = Decoders(FFMPEG, total=1).confinement()
    if found.gaps:
        skip_or_fail("sandbox", f"this machine's confinement lacks: {', '.join(found.gaps)}")
    return found


def probed(means: tuple[str, ...], secret: Path, listening: socket.socket) -> tuple[set[str], bool]:
    """What a process under this confinement could still do, and whether it could execute another program."""
    port = listening.getsockname()[1]
    argv = [HERE / "confined_probe.py", CONFINE.parent, ",".join(means), secret, port]
    done = subprocess.run(
        [sys.executable, "-I", "-S", *map(str, argv)],
        stdin=subprocess.PIPE,
        capture_output=True,
        check=False,
    )
    said, _, rest = done.stdout.decode().partition("\n")
    assert said, done.stderr
    return {what for what, outcome in json.loads(said).items() if outcome == "done"}, rest == "executed\n"


def test_the_probe_can_do_everything_where_nothing_holds_it(secret: Path, listening: socket.socket) -> None:
    able, executes = probed((), secret, listening)
    assert able == FILES | METADATA | BEYOND_ITSELF | {"take a GiB of memory"}
    assert executes


def test_a_decoder_can_do_nothing_but_compute_and_learn_which_files_exist(
    sandbox: Confinement, secret: Path, listening: socket.socket
) -> None:
    assert probed(sandbox.means, secret, listening) == (METADATA, False)


def test_landlock_alone_keeps_files_and_programs_away(
    sandbox: Confinement, secret: Path, listening: socket.socket
) -> None:
    able, executes = probed(("privileges", "landlock"), secret, listening)
    assert able.isdisjoint(FILES)
    assert not executes


def test_without_landlock_a_decoder_can_read_and_nothing_more(
    sandbox: Confinement, secret: Path, listening: socket.socket
) -> None:
    able, _ = probed(("limits", "privileges", "lifetime", "seccomp"), secret, listening)
    assert able == {"read a file"} | METADATA


def run_ffmpeg(confinement: Confinement, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Runs ffmpeg confined, but without the protective options that we normally pass."""
    argv = [FFMPEG, "-nostdin", "-v", "error", *arguments]
    return subprocess.run(
        confinement.argv(argv, cpu_limit_s=60), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    "source", ["{}", "file:{}", "concat:{}|{}", "subfile,,start,0,end,0,,:{}", "async:{}"]
)
def test_ffmpeg_reads_no_file_though_its_whitelists_are_off(
    sandbox: Confinement, secret: Path, source: str
) -> None:
    arguments = ("-f", "wav", "-i", source.format(secret, secret), "-f", "s16le", "pipe:1")
    assert b"secret" in run_ffmpeg(Confinement(()), *arguments).stdout
    refused = run_ffmpeg(sandbox, *arguments)
    assert refused.stdout == b""
    assert b"Permission denied" in refused.stderr


def test_a_playlist_leads_ffmpeg_to_no_file(sandbox: Confinement, secret: Path, tmp_path: Path) -> None:
    """ffmpeg may open only the playlist itself, not the files that it lists in the same folder."""
    playlist = tmp_path / "list.ffconcat"
    playlist.write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    arguments = ("-f", "concat", "-safe", "0", "-i", str(playlist), "-f", "s16le", "pipe:1")
    assert b"secret" in run_ffmpeg(Confinement(()), *arguments).stdout
    may_read_it = Confinement(sandbox.means, (*sandbox.readable, str(playlist)))
    refused = run_ffmpeg(may_read_it, *arguments)
    assert refused.stdout == b""
    assert b"secret.wav" in refused.stderr


@pytest.mark.parametrize("scheme", ["tcp", "http", "ftp", "rtp"])
def test_ffmpeg_opens_no_connection_though_its_whitelists_are_off(
    sandbox: Confinement, listening: socket.socket, scheme: str
) -> None:
    address = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/x"
    refused = run_ffmpeg(sandbox, "-f", "wav", "-i", address, "-f", "s16le", "pipe:1")
    assert b"Function not implemented" in refused.stderr
    listening.settimeout(0)
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_ffmpeg_could_open_a_connection_unconfined(listening: socket.socket) -> None:
    address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    argv = Confinement(()).argv([FFMPEG, "-f", "wav", "-i", address, "-f", "null", "-"], cpu_limit_s=60)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        listening.accept()[0].close()
        process.kill()


def test_ffmpeg_writes_no_file(sandbox: Confinement, tmp_path: Path) -> None:
    arguments = ("-f", "lavfi", "-i", "anullsrc=duration=0.1", "-f", "s16le", str(tmp_path / "out.pcm"))
    assert run_ffmpeg(Confinement(()), *arguments).returncode == 0
    (tmp_path / "out.pcm").unlink()
    assert run_ffmpeg(sandbox, *arguments).returncode != 0
    assert list(tmp_path.iterdir()) == []


async def never_ending(block: bytes = bytes(512 * 100)) -> AsyncGenerator[bytes, None]:
    yield block
    await asyncio.Event().wait()


async def endless() -> AsyncGenerator[bytes, None]:
    while True:
        yield bytes(64 * 1_000)
        await asyncio.sleep(0)


def decoding(
    sandbox: Confinement,
    data: AsyncGenerator[bytes, None],
    *,
    wav: WavFormat = ADPCM,
    cpu_limit_s: int = 60,
    ends: list[str],
) -> AsyncGenerator[bytes, None]:
    argv = Decoders(FFMPEG, total=1).argv(wav, PcmFormat.of(wav), cpu_limit_s=cpu_limit_s)
    assert ",".join(sandbox.means) in argv
    return decode(argv, clean_header(wav), data, on_end=ends.append)


def status_of(process: psutil.Process) -> dict[str, str]:
    """The fields of /proc/PID/status, see proc(5)."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))


def test_a_decoder_has_no_capability_and_gains_no_privileges(sandbox: Confinement) -> None:
    async def run() -> dict[str, str]:
        async with aclosing(decoding(sandbox, never_ending(), ends=[])) as blocks:
            await anext(blocks)
            (process,) = decoders_running()
            return status_of(process)

    status = asyncio.run(run())
    assert {status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Amb")} == {""}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_a_decoder_inherits_nothing_that_the_server_left_open(secret: Path) -> None:
    with secret.open("rb") as left_open:
        number = left_open.fileno()
        is_open = ["/bin/sh", "-c", f"[ -e /proc/self/fd/{number} ]"]
        assert subprocess.run(is_open, pass_fds=[number], check=False).returncode == 0
        confined = Confinement(("limits",)).argv(is_open, cpu_limit_s=60)
        assert subprocess.run(confined, pass_fds=[number], check=False).returncode == 1


def test_a_decoder_that_computes_too_long_is_refused_audio(sandbox: Confinement) -> None:
    ends: list[str] = []

    async def run() -> None:
        async with aclosing(decoding(sandbox, endless(), wav=SLOW, cpu_limit_s=1, ends=ends)) as blocks:
            async for _ in blocks:
                pass

    with pytest.raises(UndecodableAudio, match="stopped by SIGXCPU: it used too much CPU time"):
        asyncio.run(run())
    assert ends == ["SIGXCPU"]
    assert decoders_running() == []


def test_a_decoder_that_heeds_no_signal_is_killed_for_it(tmp_path: Path) -> None:
    ends: list[str] = []
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\ntrap '' XCPU\nwhile :; do :; done\n")
    program.chmod(0o755)
    argv = Confinement(("limits",)).argv([str(program)], cpu_limit_s=1)

    async def run() -> None:
        await anext(decode(argv, b"", never_ending(), on_end=ends.append))

    with pytest.raises(UndecodableAudio, match="stopped by SIGKILL"):
        asyncio.run(run())
    assert ends == ["SIGKILL"]


def test_memory_is_limited() -> None:
    take_it = [sys.executable, "-I", "-S", "-c", "import mmap; mmap.mmap(-1, 1 << 30)"]
    assert subprocess.run(take_it, check=False).returncode == 0
    refused = subprocess.run(
        Confinement(("limits",)).argv(take_it, cpu_limit_s=60), capture_output=True, check=False
    )
    assert b"Cannot allocate memory" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGRTMIN + 5])
def test_a_decoder_that_dies_is_refused_audio_and_is_counted(sandbox: Confinement, number: int) -> None:
    ends: list[str] = []

    async def run() -> None:
        async with aclosing(decoding(sandbox, never_ending(), ends=ends)) as blocks:
            await anext(blocks)
            (process,) = decoders_running()
            process.send_signal(number)
            async for _ in blocks:
                pass

    known = number in set(signal.Signals) and number < signal.SIGRTMIN
    name = signal.Signals(number).name if known else "SIGRT"
    with pytest.raises(UndecodableAudio, match=f"stopped by {name}"):
        asyncio.run(run())
    assert ends == [name]
    assert decoders_running() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_asks_the_service_to_stop_does_not_stop_its_decoders(
    sandbox: Confinement, number: signal.Signals
) -> None:
    """systemd sends SIGTERM to every process of a service, but open uploads must be able to end."""
    ends: list[str] = []
    asked = asyncio.Event()

    async def data() -> AsyncGenerator[bytes, None]:
        yield bytes(512 * 100)
        await asked.wait()
        yield bytes(512 * 100)

    async def run() -> int:
        blocks = decoding(sandbox, data(), ends=ends)
        first = await anext(blocks)
        (process,) = decoders_running()
        process.send_signal(number)
        asked.set()
        return len(first) + sum([len(block) async for block in blocks])

    assert asyncio.run(run()) == 2 * ADPCM.samples_in(512 * 200)
    assert ends == ["ok"]


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_a_decoder_that_hangs_is_gone_with_its_request(sandbox: Confinement, how: str) -> None:
    ends: list[str] = []

    async def run() -> None:
        blocks = decoding(sandbox, never_ending(), ends=ends)
        await anext(blocks)
        (process,) = decoders_running()
        process.suspend()
        if how == "close":
            await blocks.aclose()
        else:
            waiting = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert decoders_running() == []

    asyncio.run(run())
    assert ends == ["stopped"]


SERVER: Final = """
import asyncio
import uvloop
from pigwav.audio.decoder_process import decode
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header, find_ffmpeg
from pigwav.audio.fmt import WavFormat
from pigwav.audio.pcm import PcmFormat

async def data():
    yield bytes(512 * 100)
    await asyncio.Event().wait()

async def main():
    wav = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)
    argv = Decoders(find_ffmpeg(None), total=1).argv(wav, PcmFormat.of(wav), cpu_limit_s=60)
    blocks = decode(argv, clean_header(wav), data())
    await anext(blocks)
    print("decoding", flush=True)
    await asyncio.Event().wait()

asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
"""


def test_a_decoder_dies_with_a_server_that_is_killed(sandbox: Confinement) -> None:
    """Even if the decoder hangs and does not notice that its pipes have closed."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"decoding\n"
        (decoder,) = psutil.Process(server.pid).children()
        decoder.suspend()
        server.kill()
    try:
        assert gone([decoder], within_s=10)
    finally:
        if decoder.is_running():
            decoder.kill()


def test_a_decoder_whose_server_died_before_it_could_ask_is_not_started(sandbox: Confinement) -> None:
    argv = sandbox.argv([FFMPEG, "-version"], cpu_limit_s=60)
    argv[argv.index(str(os.getpid()))] = str(os.getppid())
    assert subprocess.run(argv, capture_output=True, check=False).returncode == -signal.SIGKILL


SHOW: Final = """
import json
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import find_ffmpeg
found = Decoders(find_ffmpeg(None), total=1).confinement()
print(json.dumps([found.means, found.gaps, found.works]))
"""


def lacking(what: str, *argv: str) -> "subprocess.CompletedProcess[bytes]":
    program = [sys.executable, str(HERE / "refused_calls.py"), what, *argv]
    return subprocess.run(program, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("what", "gaps"),
    [
        ("landlock", {"files"}),
        ("unshare", set()),
        ("seccomp,unshare", {"network", "processes"}),
        ("landlock,seccomp,unshare", {"files", "network", "processes"}),
    ],
)
def test_where_the_kernel_refuses_something_the_rest_holds_and_it_is_said(
    sandbox: Confinement, what: str, gaps: set[str]
) -> None:
    means, told, works = json.loads(lacking(what, sys.executable, "-c", SHOW).stdout)
    assert set(told) == gaps
    assert works
    assert set(SANDBOX) - set(means) == set(what.split(",")) - {"unshare"}


def test_where_calls_cannot_be_filtered_a_namespace_keeps_from_the_network(
    sandbox: Confinement, listening: socket.socket
) -> None:
    means, told, works = json.loads(lacking("seccomp", sys.executable, "-c", SHOW).stdout)
    if "namespace" not in means:
        skip_or_fail("userns", "this machine does not allow user namespaces")
    assert (told, works) == (["processes"], True)
    address = f"udp://127.0.0.1:{listening.getsockname()[1]}"
    argv = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "anullsrc=duration=0.1", "-f", "s16le", address]
    assert (
        b"Network is unreachable"
        in lacking("seccomp", *Confinement(tuple(means), sandbox.readable).argv(argv, cpu_limit_s=60)).stderr
    )


def test_a_means_that_is_gone_since_the_trial_is_no_decoder_and_no_fault_of_the_audio(
    sandbox: Confinement,
) -> None:
    ends: list[str] = []
    argv = Decoders(FFMPEG, total=1).argv(ADPCM, PcmFormat.of(ADPCM), cpu_limit_s=60)
    without_landlock = [sys.executable, str(HERE / "refused_calls.py"), "landlock", *argv]

    async def run() -> None:
        await anext(decode(without_landlock, clean_header(ADPCM), never_ending(), on_end=ends.append))

    with pytest.raises(Overloaded):
        asyncio.run(run())
    assert ends == ["not-started"]


def test_a_wrapper_script_is_held_by_what_it_can_live_with(sandbox: Confinement, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f'#!/bin/sh\nexec {FFMPEG} "$@"\n')
    program.chmod(0o755)
    found = Decoders(str(program), total=1).confinement()
    assert found.works
    assert found.gaps == ("files",)


def test_a_program_that_decodes_nothing_is_told_from_one_that_works(tmp_path: Path) -> None:
    found = confinement_of(("/bin/false",), b"")
    assert not found.works
    assert found.means == Decoders(FFMPEG, total=1).confinement().means


def test_the_calls_have_the_numbers_that_the_kernel_gives_them() -> None:
    headers = {
        0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        1: Path("/usr/include/asm-generic/unistd.h"),
    }
    missing = [str(path) for path in headers.values() if not path.exists()]
    if missing:
        skip_or_fail("headers", f"the kernel's headers are not installed: {', '.join(missing)}")
    for column, path in headers.items():
        text = path.read_text()
        defined = dict(re.findall(r"^#define __NR_(\w+)\s+(\d+)$", text, re.MULTILINE))
        old = dict(re.findall(r"^#define __NR3264_(\w+)\s+(\d+)$", text, re.MULTILINE))
        numbers = {**defined, **old, "newfstatat": old.get("fstatat") or defined.get("newfstatat")}
        for row in (confine.CALLS + "," + confine.CALLS_IN_PART).split(","):
            name, *ours = row.split()
            if ours[column] != "-" and name in numbers:  # older headers lack the newest calls
                assert numbers[name] == ours[column], name
