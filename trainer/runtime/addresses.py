"""Addresses of machines."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's, and only that."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
