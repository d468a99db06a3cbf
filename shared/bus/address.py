"""Where the server is and who we are to it, from a URL, checked strictly: a mistyped option stops the process instead of being ignored."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.domain.errors import ConfigurationInvalid

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = frozenset({"db", "ssl_ca_certs", "ssl_cert_reqs"})


@dataclass(frozen=True)
class Address:
    """`path` of a Unix socket, else empty; `verify` False: TLS without looking at the certificate."""

    host: str
    port: int
    path: str
    user: str
    password: str = field(repr=False)
    database: int
    tls: bool
    authority: str | None = None
    verify: bool = True

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ConfigurationInvalid; its text never shows what may be a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationInvalid(f"REDIS_URL: {error}") from None
        if parts.scheme not in SCHEMES:
            raise ConfigurationInvalid(f"REDIS_URL: expected redis://, rediss:// or unix://, was {parts.scheme[:20]!r}")
        options = dict(parse_qsl(parts.query))
        if unknown := set(options) - OPTIONS:
            raise ConfigurationInvalid(f"REDIS_URL: expected no options but {', '.join(sorted(OPTIONS))}, was {min(unknown)[:40]!r}")
        local = parts.scheme == "unix"
        if not (parts.path if local else parts.hostname):
            raise ConfigurationInvalid(f"REDIS_URL: expected {parts.scheme}:// and {'a path' if local else 'a host'}")
        database = options.get("db", "0" if local else parts.path.strip("/") or "0")
        if not database.isdecimal():
            raise ConfigurationInvalid(f"REDIS_URL: expected the number of a database after the host, was {database[:20]!r}")
        return cls(
            host=parts.hostname or "",
            port=port or 6379,
            path=unquote(parts.path) if local else "",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=int(database),
            tls=parts.scheme == "rediss",
            authority=options.get("ssl_ca_certs"),
            verify=options.get("ssl_cert_reqs", "required") != "none",
        )

    @property
    def place(self) -> str:
        """Where it is, for people; without who we are."""
        return self.path or f"{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext | None:
        """None without TLS."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.authority)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def greeting(self, client_name: str) -> list[tuple[str, ...]]:
        """The commands that open a connection."""
        commands: list[tuple[str, ...]] = []
        if self.user or self.password:
            commands.append(("AUTH", self.user or "default", self.password))
        commands.append(("CLIENT", "SETNAME", "".join(letter if letter.isalnum() else "-" for letter in client_name) or "tradermagic"))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        return commands
