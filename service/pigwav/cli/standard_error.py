"""Messages on standard error. Imports nothing of the client, so that `pigwav up` and `pigwav serve` do not load it."""

import sys


def print_error(text: str) -> None:
    """Prints a line on standard error. The progress display replaces `sys.stderr` and so prints it above the bars."""
    sys.stderr.write(f"pigwav: {text}\n")
    sys.stderr.flush()
