"""Which requests a page on this machine answers."""

import ipaddress
from typing import Sequence


def is_own_host(host: str, allowed: Sequence[str] = ()) -> bool:
    """Whether a Host header (with a port or without) names this server: an address, localhost, or an ``allowed`` name.

    A page of somebody else can let its own name lead to this machine (DNS rebinding), and its scripts could then read
    what is uploaded here; they cannot change the name that the browser sends.
    """
    name = host.rsplit(']', 1)[0].lstrip('[') if host.startswith('[') else host.split(':')[0]
    if name.lower() in ('localhost', *(other.lower() for other in allowed)):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
