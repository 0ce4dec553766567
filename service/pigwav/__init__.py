"""PigWav: recordings in, MP3 out, on your own object storage."""
