"""The decoders that may run: how many at a time, and how they are confined."""

from collections.abc import Callable
from typing import Final

from pigwav.audio.confinement import Confinement, confinement_of
from pigwav.audio.decoder_process import uncounted
from pigwav.audio.ffmpeg import clean_header, decoder_argv
from pigwav.audio.fmt import WavFormat
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import Limit, Overloaded
from pigwav.telemetry.logs import log

_TRIAL_FORMAT: Final = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)


class Decoders:
    """The ffmpeg to run, and how many more may be started. For one event loop. `on_end`: see `decode`."""

    def __init__(self, program: str, *, total: int, on_end: Callable[[str], None] = uncounted) -> None:
        self.program: Final = program
        self.on_end: Final = on_end
        self.free = total

    def confinement(self) -> Confinement:
        """What the program is run in. The first time, it is tried out: that takes some 100 ms."""
        pcm = PcmFormat.of(_TRIAL_FORMAT)
        argv = decoder_argv(self.program, _TRIAL_FORMAT, pcm, cpu_limit_s=60)
        return confinement_of(tuple(argv), clean_header(_TRIAL_FORMAT) + bytes(_TRIAL_FORMAT.block_bytes))

    def log_confinement(self) -> None:
        """What holds a decoder that has been taken over, and what does not."""
        found = self.confinement()
        say = log.warning if found.gaps or not found.works else log.info
        say("decoder_confined", by=list(found.means), not_held=list(found.gaps), works=found.works)

    def argv(self, wav: WavFormat, pcm: PcmFormat, *, cpu_limit_s: int) -> list[str]:
        """For `decode`, confined."""
        argv = decoder_argv(self.program, wav, pcm, cpu_limit_s=cpu_limit_s)
        return self.confinement().argv(argv, cpu_limit_s=cpu_limit_s)

    def take(self) -> None:
        """Raises Overloaded: who comes late had better try again than wait with an open upload."""
        if self.free == 0:
            raise Overloaded(Limit.DECODERS)
        self.free -= 1

    def give_back(self) -> None:
        self.free += 1
