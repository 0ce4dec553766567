"""`python -m pigwav.devstack PLAN`: the process that `pigwav up` becomes when it has read options and settings."""

import sys

from pigwav.devstack.supervisor import Plan, Up
from pigwav.errors import PigWavError


def main(plan: str) -> None:
    try:
        Up(Plan.read(plan), on_ready=_print_ready, on_stop=_print_stopping).run()
    except PigWavError as error:
        sys.exit(f"pigwav: {error}")


def _print_ready(url: str) -> None:
    """Prints three commands to copy; each needs values from the output of the one before."""
    sys.stdout.write(
        f"PigWav is ready: {url}\n\n"
        f"curl {url}/users -d name=NAME\n"
        f"curl {url}/records -F user_id=USER_ID -F token=TOKEN -F file=@recording.wav\n"
        f"curl -o recording.mp3 '{url}/record?id=RECORDING_ID&user=USER_ID'\n"
    )
    sys.stdout.flush()


def _print_stopping(grace_s: float) -> None:
    sys.stderr.write(f"Stopping; open uploads get up to {grace_s:g} s. Press Ctrl-C again to stop at once.\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1])
