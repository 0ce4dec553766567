"""The embedded stack: a Postgres and an S3 server for machines that have neither.

`pigwav up` keeps it running together with the API (supervisor.py). `running` and `stack_for` are for other commands,
whether or not `up` is running.
"""

from pigwav.devstack.address import StackAddress
from pigwav.devstack.stack import running, stack_for

__all__ = ["StackAddress", "running", "stack_for"]
