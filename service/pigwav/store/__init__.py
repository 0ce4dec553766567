"""The object store: MP3 objects in, out, listed, deleted. Knows nothing of WAVs, users or HTTP."""
