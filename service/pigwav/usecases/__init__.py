"""The use-cases: short transactions around long streams. The modules of this package list what PigWav does."""
