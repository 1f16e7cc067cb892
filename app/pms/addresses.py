"""Where a connection may lead. A vendor's own documented host lies in the public network, whatever DNS says of it, and
so must one that somebody of a practice typed; an address the operator has set is trusted as it stands (decisions.md,
command line).
"""

from __future__ import annotations

import ipaddress
import socket

from urllib3.exceptions import LocationParseError

from app.pms.registry import documented

#: Addresses of version 6 that stand for one of version 4, which Python does not look through by itself.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(LocationParseError):
    """The name leads into a private network, or back to this machine."""


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public network. 127.0.0.1 in version 6's clothes does not."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def checked(host: str, port: int, public_only: bool = False) -> list[str]:
    """The addresses to connect to, of a vendor's own host; empty for a host that the operator chose.

    public_only: somebody of a practice typed the host, so it is held to the same as a vendor's own.
    To be asked for each connection: a name that was public when it was saved may be private by now. The connection
    goes to what was checked here, not to what the name says a moment later. Raises NotPublic, socket.gaierror.
    """
    if documented(host) is None and not public_only:
        return []
    found = list(dict.fromkeys(str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    if not all(is_public(one) for one in found):
        raise NotPublic("a vendor's host in a private network")
    return found
