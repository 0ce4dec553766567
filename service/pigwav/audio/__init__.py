"""The audio package: converts WAV bytes to MP3 bytes and facts while they arrive. It knows no HTTP, rows or stores."""
