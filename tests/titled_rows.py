"""Rows of ready recordings with titles, without objects: for searches."""

from typing import Final

from databases import run_as_owner

_USER: Final = "INSERT INTO users (name, token_sha256) VALUES ('{name}', sha256('{name}'))"
_ROWS: Final = """
    INSERT INTO recordings (
      id, user_id, state, object_key, title, created_at, ready_at, size_bytes, sha256, wav_size_bytes, wav_sha256,
      samples, duration_ms, truncated, sample_rate_hz, channels, bitrate_kbps, source_codec, source_sample_rate_hz,
      source_channels, source_bits, tags)
    SELECT
      gen_random_uuid(), users.id, 'ready', 'recordings/' || gen_random_uuid(), {title}, at, at, 24000, sha256('a'),
      264644, sha256('b'), 66150, 1500, false, 44100, 2, 128, 'pcm_s16le', 44100, 2, 16,
      jsonb_build_object('comment', repeat('-', 200))  -- as wide as a row with levels
    FROM users, generate_series(1, {count}) n, LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 minute' AS at)
    WHERE name = '{name}'
"""


def add_titled_rows(url: str, name: str, *, count: int, title: str) -> None:
    """A new user with `count` recordings, one a minute. `title`: an SQL expression of `n`, 1 for the oldest."""
    for statement in (_USER, _ROWS):
        run_as_owner(url, statement.format(name=name, count=count, title=title).replace("%", "%%"))
