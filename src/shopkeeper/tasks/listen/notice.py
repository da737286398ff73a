"""Ways by which alerts reach people: a webhook, e-mail, the console. Each sends one alert or raises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import smtplib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.headerregistry import Address
from typing import Final, Protocol, TextIO
from urllib.parse import unquote, urlsplit

import orjson

from shopkeeper.errors import SettingsError, ShopkeeperError
from shopkeeper.settings import ListenSettings
from shopkeeper.store.feeds.downloading import Public, Resolve, is_public, parse, resolve
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.tasks.listen.messages import Notice, mail_of, printable

_SECONDS: Final = 10.0
"""Time for each step of a delivery."""
_TOTAL: Final = 30.0
_SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class UndeliveredError(ShopkeeperError):
    """An alert could not be delivered; it is tried again later."""


class Channel(Protocol):
    """A way by which alerts reach somebody."""

    @property
    def name(self) -> str:
        """``webhook``, ``email`` or ``console``."""
        ...

    def send(self, notice: Notice) -> None:
        """Deliver one step of an alert; sending it twice must do no harm.

        Raises:
            UndeliveredError: It did not arrive, or nobody knows whether it did.
        """
        ...


class Webhook:
    """Posts alerts as JSON, signed as Standard Webhooks 1.0 has it.

    Headers: ``webhook-id`` is `Notice.id`, the same at every attempt, so that the receiver can drop what it has seen;
    ``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 of ``id.timestamp.body``. Only 2xx counts as taken;
    redirects are not followed.

    Args:
        url: Where to; http only within the own network.
        key: The secret, plain or as ``whsec_`` and base64; empty to leave out the signature.
        private: May the address be one of the own network? Else only public ones are asked.
        resolve: Finds the IP addresses of a host.
        public: Says which of them may be asked.

    Raises:
        SettingsError: The address makes no sense.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        private: bool = False,
        resolve: Resolve = resolve,
        public: Public = is_public,
    ) -> None:
        try:
            self._target = parse(url)
            self._key = base64.b64decode(key[6:], validate=True) if key.startswith("whsec_") else key.encode()
        except (Reject, ValueError) as error:
            raise SettingsError(
                "The webhook's address or key makes no sense.",
                where="listen.webhook",
                cure="Give an address such as https://example.com/alerts, and a plain key or whsec_ and base64.",
            ) from error
        if self._target.scheme == "http" and not private:
            raise SettingsError(
                "The webhook's address is not encrypted, and alerts quote what customers wrote.",
                where="listen.webhook",
                cure="Use https, or allow an address of the own network with listen.webhook_private.",
            )
        self._private = private
        self._resolve = resolve
        self._public = public

    def send(self, notice: Notice) -> None:
        """Post the alert."""
        body = orjson.dumps({"type": notice.alert.event, "data": notice.body()})
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "shopkeeper",
            "webhook-id": notice.id,
            "webhook-timestamp": stamp,
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, notice.id, stamp, body)
        try:
            status = self._post(body, headers)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise UndeliveredError(f"{type(error).__name__}: {error}", where="webhook") from error
        if not 200 <= status < 300:
            raise UndeliveredError(f"The receiver answered {status}.", where="webhook")

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        target = self._target
        addresses = self._resolve(target.host, target.port)
        refused = [address for address in addresses if not self._private and not self._public(address)]
        if refused or not addresses:
            raise UndeliveredError(
                f"{target.host} is not a public address.", where="webhook", cure="Allow it with listen.webhook_private."
            )
        stream = socket.create_connection((addresses[0], target.port), timeout=_SECONDS)
        try:
            secure = target.scheme == "https"
            if secure:
                stream = ssl.create_default_context().wrap_socket(stream, server_hostname=target.host)
            watch = threading.Timer(_TOTAL, _hang_up, [stream])  # who drips byte by byte shall not hold us
            watch.daemon = True
            watch.start()
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = kind(target.host, target.port)
            connection.sock = stream
            connection.auto_open = 0
            try:
                connection.request("POST", target.path, body=body, headers=dict(headers))
                status = connection.getresponse().status
            finally:
                watch.cancel()
                connection.close()
        finally:
            stream.close()
        return status


class Mail:
    """Sends alerts by e-mail.

    Args:
        server: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://...:465``; without TLS only to this machine.
        to: Addresses.
        sender: Address that it comes from; the first of `to` when empty.
        context: Of TLS; the system's when not given.

    Raises:
        SettingsError: The server or an address makes no sense.
    """

    name = "email"

    def __init__(
        self, server: str, to: Sequence[str], *, sender: str = "", context: ssl.SSLContext | None = None
    ) -> None:
        try:
            parts = urlsplit(server)
            self._port = parts.port or _SMTP_PORTS[parts.scheme]
            self._to = [str(Address(addr_spec=address.strip())) for address in to if address.strip()]
            self._sender = str(Address(addr_spec=sender)) if sender else self._to[0]
        except (ValueError, KeyError, IndexError) as error:
            raise SettingsError(
                "The mail server or an address makes no sense.",
                where="listen.smtp, listen.email",
                cure="Give smtp://user:password@host:587, and addresses such as ops@example.com with commas.",
            ) from error
        self._host = parts.hostname or "localhost"
        self._implicit = parts.scheme == "smtps"
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._context = context

    def send(self, notice: Notice) -> None:
        """Mail the alert, in both languages."""
        message = mail_of(notice, self._sender, self._to)
        try:
            with self._connected() as server:
                if self._user:
                    server.login(self._user, self._password)
                refused = server.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: a password that is not ASCII
            raise UndeliveredError(f"{type(error).__name__}: {error}", where="email") from error
        if refused:
            raise UndeliveredError(f"Refused for {', '.join(sorted(refused))}.", where="email")

    def _connected(self) -> smtplib.SMTP:
        context = self._context or ssl.create_default_context()
        if self._implicit:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=_SECONDS)
        try:
            server.ehlo()
            if server.has_extn("starttls") or self._host not in _LOCAL:
                server.starttls(context=context)
                server.ehlo()
        except BaseException:
            server.close()
            raise
        return server


class Console:
    """Writes alerts as lines.

    Args:
        out: Where to; standard error when not given.
        language: ``en`` or ``zh``.
    """

    name = "console"

    def __init__(self, out: TextIO | None = None, language: str = "en") -> None:
        self._out = out
        self._language = language

    def send(self, notice: Notice) -> None:
        """Write the alert."""
        out = self._out or sys.stderr
        told = notice.alert.summary.get(self._language, "").splitlines()
        out.writelines(f"{line}\n" for line in (printable(notice.line(self._language)), *_indented(told)))
        out.flush()


def channels_of(settings: ListenSettings, *, console: Callable[[], TextIO] | None = None) -> list[Channel]:
    """The channels that the settings ask for.

    Raises:
        SettingsError: An address makes no sense.
    """
    found: list[Channel] = []
    if settings.webhook:
        found.append(Webhook(settings.webhook, settings.webhook_key, private=settings.webhook_private))
    if settings.email and settings.smtp:
        found.append(Mail(settings.smtp, settings.email.split(",")))
    if console is not None:
        found.append(Console(console()))
    return found


def signature(key: bytes, identity: str, stamp: str, body: bytes) -> str:
    """What a receiver computes to know who sent a body: ``v1,`` and base64 of HMAC-SHA256 of ``id.timestamp.body``."""
    signed = b".".join((identity.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {printable(line)}" for line in lines]


def _hang_up(stream: socket.socket) -> None:
    with suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
