"""The object store: writes, reads, lists and deletes MP3 objects. Independent of WAVs, users and HTTP."""
