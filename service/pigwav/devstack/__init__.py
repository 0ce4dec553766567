"""The embedded stack: a Postgres and an S3 server of our own, for machines that have neither.

`pigwav up` keeps it running together with the API (supervisor.py). `running` and `stack_for` are for commands that
work beside a running `up`, or without one.
"""

from pigwav.devstack.address import StackAddress
from pigwav.devstack.stack import running, stack_for

__all__ = ["StackAddress", "running", "stack_for"]
