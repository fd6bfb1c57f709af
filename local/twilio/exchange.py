"""What all calls of one simulated Twilio share: account, request signatures, and addresses of public URLs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local.audio.speech import silence
from twilio.request_validator import RequestValidator

Speak = Callable[[str, str], bytes]  # a text and its language to mu-law; may block, runs in a thread
SPOKEN_CHARACTER_MS = 60


def speak_silently(text: str, _language: str) -> bytes:
    """Silence, as long as the text would take to say."""
    return silence(len(text) * SPOKEN_CHARACTER_MS)


@dataclass(frozen=True)
class Exchange:
    """The account's credentials, and how its calls reach public URLs.

    `tunnels` maps the start of a public URL to an address on this machine, as a tunnel's client does:
    `{"wss://voice.example.com": "ws://127.0.0.1:8080"}`. Signatures always cover the public URL.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    tunnels: Mapping[str, str] = field(default_factory=dict)
    speak: Speak = speak_silently
    speed: float = 1.0

    def sign(self, url: str, fields: Mapping[str, str]) -> str:
        """The X-Twilio-Signature of a request, computed by Twilio's own library."""
        return str(RequestValidator(self.auth_token).compute_signature(url, dict(fields)))

    def address_of(self, url: str) -> str:
        """The address of a public URL: through the longest matching tunnel, else the URL itself."""
        fitting = [public for public in self.tunnels if url.startswith(public)]
        if not fitting:
            return url
        public = max(fitting, key=len)
        return self.tunnels[public] + url.removeprefix(public)
