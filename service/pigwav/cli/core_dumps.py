"""A process that crashes leaves no image of its memory: tokens, keys and people's voices are in there."""

import resource


def leave_none() -> None:
    """From here on, for this process and those that it starts; `prlimit --core` brings them back for who needs one."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard_limit))
