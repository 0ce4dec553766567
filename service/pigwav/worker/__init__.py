"""Background work: the use-cases that run on a timer."""
