"""The audio room: WAV bytes in, MP3 bytes and facts out, while they arrive. Knows nothing of HTTP, rows or stores."""
