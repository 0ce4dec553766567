"""Converts WAV bytes to MP3 bytes and audio facts while the WAV arrives. Independent of HTTP, database and store."""
