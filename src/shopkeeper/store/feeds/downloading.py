"""One file from an address that a stranger wrote: from listed hosts only, and never from inside the network.

What a feed names is chosen by strangers, so an address is a request forged by them until proven otherwise (OWASP,
"Server-Side Request Forgery Prevention Cheat Sheet"): the host must be listed, each address it resolves to must be public,
and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import quote, urljoin, urlsplit

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject

Resolve = Callable[[str, int], list[str]]
"""Host and port to IP addresses; raises OSError where there are none."""
Public = Callable[[str], bool]
"""May this IP address be asked?"""

_STANDARD = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (429, 503)
_CHUNK = 1 << 16
_HEADERS = {"User-Agent": "shopkeeper", "Accept": "image/*,video/*;q=0.9", "Accept-Encoding": "identity"}
_ENTRY = re.compile(r"(?P<star>(\*\.)?)(?P<host>[\w-]+(\.[\w-]+)*)(:(?P<port>\d{1,5}))?")
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one download may take.

    Attributes:
        total: Seconds for all of it, redirects included.
        idle: Seconds without a byte.
        redirects: How many are followed.
    """

    total: float = 120.0
    idle: float = 10.0
    redirects: int = 3


class NoAnswerError(Exception):
    """A host does not answer, or asks to be left alone for a while."""


class Hosts:
    """The hosts that may be asked.

    Args:
        entries: ``cdn.example.com``, ``*.example.com`` (all below it), each also as ``host:port``; without a port the
            standard ones of http and https are meant.

    Raises:
        InputError: An entry is an address, or a star stands for too much.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._listed: set[tuple[str, int | None]] = set()
        for entry in filter(None, map(str.strip, entries)):
            found = _ENTRY.fullmatch(entry.lower())
            try:
                if found is None or (found["star"] and "." not in found["host"]):
                    raise ValueError(entry)
                host = found["star"] + _ascii(found["host"])
            except ValueError as error:
                raise InputError(
                    f"{entry!r} is no name of a host.",
                    where="fetch.hosts",
                    cure="Write names such as cdn.example.com, *.example.com or cdn.example.com:8443, with commas.",
                ) from error
            self._listed.add((host, int(found["port"]) if found["port"] else None))

    def allow(self, host: str, port: int, scheme: str) -> bool:
        """Is the host listed, with this port where it is not the standard one?"""
        parts = host.split(".")
        names = [host, *(f"*.{'.'.join(parts[place:])}" for place in range(1, len(parts)))]
        usual = _STANDARD.get(scheme) == port
        return any((name, port) in self._listed or (usual and (name, None) in self._listed) for name in names)


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart. `path` is what the request line says."""

    scheme: str
    host: str
    port: int
    path: str


def parse(url: str) -> Target:
    """Take an address apart.

    Raises:
        Reject: It is not http or https, names a user, or makes no sense.
    """
    try:
        parts = urlsplit(url)
        host = _ascii(parts.hostname or "")
        port = parts.port if parts.port is not None else _STANDARD.get(parts.scheme, 0)
    except ValueError as error:
        raise Reject("malformed address", value=url) from error
    if parts.scheme not in _STANDARD or not host or not port:
        raise Reject("malformed address", value=url)
    if parts.username is not None or parts.password is not None:
        raise Reject("address with a user's name", value=url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + ("?" if parts.query else "")
    path += quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    return Target(parts.scheme, host, port, path)


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, by the system's resolver."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def is_public(address: str) -> bool:
    """Is this an address of the public internet, and not one that leads to a private one in disguise?

    Refused are private, loopback, link-local, multicast, reserved, shared and documentation addresses, and those of IPv6
    that carry one of IPv4 (mapped, 6to4, Teredo, NAT64).
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved or found.is_link_local or found.is_unspecified:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    return not (found.ipv4_mapped or found.is_site_local or any(found in network for network in _TRANSLATED))


def download(
    url: str, hosts: Hosts, most: int, *, patience: Patience, resolve: Resolve = resolve, public: Public = is_public
) -> Generator[bytes]:
    """The content behind an address, piece by piece.

    Args:
        url: http or https.
        hosts: Who may be asked, at every redirect.
        most: Bytes that are taken at most.
        patience: How long it may take.
        resolve: Finds the IP addresses of a host; each host is resolved once per request.
        public: Says which of them may be asked; one that may not spoils all.

    Raises:
        Reject: The address, the host or the answer is refused.
        NoAnswerError: The host does not answer, or says that it has too much to do.
    """
    deadline = time.monotonic() + patience.total
    for _ in range(patience.redirects + 1):
        target = parse(url)
        if not hosts.allow(target.host, target.port, target.scheme):
            raise Reject("host not listed", value=url)
        stream = _connect(target, deadline, patience, resolve, public)
        try:
            answer = _ask(target, stream)
            if answer.status not in _REDIRECTS:
                yield from _body(answer, most, url)
                return
            further = urljoin(url, answer.getheader("Location") or "")
        except ValueError as error:
            raise Reject("malformed address", value=url) from error
        finally:
            stream.hang_up()
        if target.scheme == "https" and not further.lower().startswith("https:"):
            raise Reject("redirect away from https", value=further)
        url = further
    raise Reject("too many redirects", value=url)


def _connect(target: Target, deadline: float, patience: Patience, resolve: Resolve, public: Public) -> _TimedStream:
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise NoAnswerError(f"{target.host} cannot be resolved") from error
    refused = [address for address in addresses if not public(address)]
    if refused:
        raise Reject("not a public address", value=f"{target.host} is {refused[0]}")
    for address in addresses:
        with suppress(OSError):
            raw = socket.create_connection((address, target.port), timeout=_left(deadline, patience.idle))
            try:
                if target.scheme == "https":
                    raw = _tls().wrap_socket(raw, server_hostname=target.host)
            except ssl.SSLCertVerificationError as error:
                raw.close()
                raise Reject("certificate refused", value=f"{target.host}: {error.verify_message}") from error
            except OSError:
                raw.close()
                raise
            return _TimedStream(raw, deadline, patience.idle)
    raise NoAnswerError(f"{target.host} does not answer")


def _ask(target: Target, stream: _TimedStream) -> http.client.HTTPResponse:
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.host, target.port)
    connection.sock = cast("Any", stream)
    connection.auto_open = 0
    try:
        connection.request("GET", target.path, headers=_HEADERS)
        return connection.getresponse()
    except TimeoutError as error:
        raise NoAnswerError(f"{target.host} is too slow") from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise NoAnswerError(f"{target.host} breaks off: {error}") from error


def _body(answer: http.client.HTTPResponse, most: int, url: str) -> Iterator[bytes]:
    if answer.status in _BUSY:
        raise NoAnswerError(f"the host says {answer.status}")
    if answer.status != http.client.OK:
        raise Reject(f"answered {answer.status}", value=url)
    expected, size = answer.length, 0
    if expected is not None and expected > most:
        raise Reject("file too large", value=url)
    try:
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise Reject("file too large", value=url)
            yield chunk
    except TimeoutError as error:
        raise Reject("too slow", value=url) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Reject("cut short", value=url) from error
    if expected is not None and size < expected:
        raise Reject("cut short", value=url)


class _TimedStream(io.RawIOBase):
    """A socket as `http.client` wants it, of which every step ends in time.

    Closing does nothing, as `http.client` closes its socket before the answer is read; `hang_up` does.
    """

    def __init__(self, raw: socket.socket, deadline: float, idle: float) -> None:
        self._raw = raw
        self._deadline = deadline
        self._idle = idle

    def makefile(self, *_: object) -> io.BufferedReader:
        """What answers are read from."""
        return io.BufferedReader(self)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._raw.settimeout(_left(self._deadline, self._idle))
        self._raw.sendall(data)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Receive what has come."""
        self._raw.settimeout(_left(self._deadline, self._idle))
        return self._raw.recv_into(buffer)

    def close(self) -> None:
        """Leave the socket open."""

    def hang_up(self) -> None:
        """Close the socket."""
        self._raw.close()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float, idle: float) -> float:
    """Seconds that the next step may take."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("time is up")
    return min(left, idle)


def _ascii(host: str) -> str:
    """The name of a host as DNS has it."""
    host = host.rstrip(".").lower()
    return host if host.isascii() else host.encode("idna").decode("ascii")
