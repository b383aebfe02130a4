"""How many files and sockets this process may have open at one time."""

import resource

_WANTED = 8192


def raise_open_files() -> int:
    """As many as are wanted, or as the system allows, so that a crowd of connections finds room; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _WANTED:
        return _WANTED
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
