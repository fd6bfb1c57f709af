"""A certificate for the simulated model, from a certificate authority that exists for one run only."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from local.stack.process import HOST


@dataclass(frozen=True)
class Certificate:
    """`server` is the TLS context of the model's end; `authority` is the CA file that a bridge must trust."""

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
