"""A certificate for the simulated model, made for one run by an authority that ends with it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from local.stack.process import HOST


@dataclass(frozen=True)
class Certificate:
    """`server` is what the model's end speaks TLS with; `authority` is the file that a bridge must trust."""

    server: ssl.SSLContext
    authority: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        authority = trustme.CA()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(server)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        return cls(server, file)
