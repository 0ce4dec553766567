"""All metrics, named by Prometheus' conventions."""

import os
from collections.abc import Iterable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.metrics_core import Metric

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One process's metrics. If PROMETHEUS_MULTIPROC_DIR is set, `exposition` covers all workers."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        counter = partial(Counter, registry=own)
        gauge = partial(Gauge, registry=own, multiprocess_mode="livesum")
        histogram = partial(Histogram, registry=own, buckets=_SECONDS)
        self.http_requests = counter(
            "pigwav_http_requests_total", "Requests that got a response.", ["method", "route", "status"]
        )
        self.http_seconds = histogram(
            "pigwav_http_request_duration_seconds",
            "Seconds from the request's headers to the end of its response.",
            ["method", "route"],
        )
        self.connections_ended = counter(
            "pigwav_connections_ended_total",
            "Connections that the service ended, or on which it refused an upload, by reason.",
            ["reason"],
        )
        self.downloads_open = gauge("pigwav_downloads_open", "MP3s being sent.")
        self.uploads = counter(
            "pigwav_uploads_total", "Uploads by outcome: stored, or the error's code.", ["outcome"]
        )
        self.decoder_ends = counter(
            "pigwav_decoder_ends_total",
            "ffmpeg processes by how they ended: ok, refused (ffmpeg failed), stopped (by the service), not-started, "
            "or a signal's name.",
            ["how"],
        )
        self.uploads_open = gauge("pigwav_uploads_open", "Uploads being received.")
        self.uploads_most = gauge("pigwav_uploads_limit", "Maximum of open uploads.")
        self.held_bytes = gauge(
            "pigwav_upload_held_bytes",
            "Memory that open uploads hold for MP3 on its way to the store and for PCM that several cores "
            "encode.",
        )
        self.overloaded = counter(
            "pigwav_overloaded_total",
            "Requests and connections refused with `overloaded` (503), by limit.",
            ["limit"],
        )
        self.rate_limited = counter(
            "pigwav_rate_limited_total", "Requests refused because of their rate (429).", ["policy"]
        )
        self.disk_free_bytes = gauge(
            "pigwav_disk_free_bytes",
            "Bytes free on the disk of a watched folder.",
            ["folder"],
            multiprocess_mode="livemostrecent",
        )
        self.answer_seconds = histogram(
            "pigwav_upload_answer_seconds", "Seconds from an upload's last byte until its recording is ready."
        )
        self.wav_bytes = counter("pigwav_wav_bytes_total", "WAV bytes of stored recordings.")
        self.mp3_bytes = counter("pigwav_mp3_bytes_total", "MP3 bytes of stored recordings.")
        self.audio_seconds = counter("pigwav_audio_seconds_total", "Seconds of audio in stored recordings.")
        self.store_requests = counter(
            "pigwav_store_requests_total",
            "Calls to the object store by outcome: ok, or the error's code.",
            ["operation", "outcome"],
        )
        self.store_seconds = histogram(
            "pigwav_store_request_duration_seconds",
            "Seconds from a call to the object store to its response, or to the response's first block or entry.",
            ["operation"],
        )
        self.uploads_aborted = counter(
            "pigwav_uploads_aborted_total", "Uploads that `sweep` aborted because their lease had expired."
        )
        self.swept = counter("pigwav_objects_swept_total", "Recordings whose bytes `sweep` removed.")
        self.kept = counter(
            "pigwav_objects_kept_total",
            "Deleted recordings whose bytes the bucket keeps, by reason: not-permitted, locked.",
            ["reason"],
        )

    def families(self) -> Iterable[Metric]:
        """This process's metrics, with types and descriptions."""
        return self._registry.collect()

    def exposition(self) -> bytes:
        """The text format of Prometheus, version 0.0.4."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call] # it has no annotations
        return generate_latest(together)
