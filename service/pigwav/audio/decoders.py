"""Counts the decoder processes that run at a time, and confines them."""

from collections.abc import Callable
from typing import Final

from pigwav.audio.confinement import Confinement, confinement_of
from pigwav.audio.decoder_process import uncounted
from pigwav.audio.ffmpeg import clean_header, decoder_argv, mp3_decoder_argv
from pigwav.audio.fmt import WavFormat
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import Limit
from pigwav.shares import Clients, Place, Shares
from pigwav.telemetry.logs import log

_TRIAL_FORMAT: Final = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)


class Decoders:
    """The ffmpeg program, and the places for decoders. For one event loop. `on_end`: see `decode`."""

    def __init__(self, program: str, *, total: int, on_end: Callable[[str], None] = uncounted) -> None:
        self.program: Final = program
        self.on_end: Final = on_end
        self._places = Shares(total, limit=Limit.DECODERS, share=Limit.DECODERS_SHARE)

    def confinement(self) -> Confinement:
        """The confinement that the program runs in. The first call tries it out, which takes about 100 ms."""
        pcm = PcmFormat.of(_TRIAL_FORMAT)
        argv = decoder_argv(self.program, _TRIAL_FORMAT, pcm, cpu_limit_s=60)
        return confinement_of(tuple(argv), clean_header(_TRIAL_FORMAT) + bytes(_TRIAL_FORMAT.block_bytes))

    def log_confinement(self) -> None:
        """Logs which protections confine a compromised decoder and which are missing."""
        found = self.confinement()
        say = log.warning if found.gaps or not found.works else log.info
        say("decoder_confined", by=list(found.means), not_held=list(found.gaps), works=found.works)

    def argv(self, wav: WavFormat, pcm: PcmFormat, *, cpu_limit_s: int) -> list[str]:
        """The confined command, for `decode`."""
        argv = decoder_argv(self.program, wav, pcm, cpu_limit_s=cpu_limit_s)
        return self.confinement().argv(argv, cpu_limit_s=cpu_limit_s)

    def mp3_argv(self, mp3: Mp3Format, *, cpu_limit_s: int) -> list[str]:
        """The confined command that decodes an MP3, for `decode`."""
        argv = mp3_decoder_argv(self.program, mp3, cpu_limit_s=cpu_limit_s)
        return self.confinement().argv(argv, cpu_limit_s=cpu_limit_s)

    @property
    def free(self) -> int:
        """How many more decoders may start."""
        return self._places.free

    def take(self, clients: Clients) -> Place:
        """Raises Overloaded if none is free: retrying later is better for the client than an open upload that waits."""
        return self._places.take(clients)
