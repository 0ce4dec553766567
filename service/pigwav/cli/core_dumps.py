"""Core dumps are disabled, because the memory of a process holds tokens, keys and people's voices."""

import resource


def disable_core_dumps() -> None:
    """Disables core dumps for this process and its children. `prlimit --core` enables them again for debugging."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard_limit))
