"""An issuer of tokens on loopback: its keys, its documents, and tokens good and bad."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "callplane-api"


class TokenIssuer:
    """`answers` may be changed: path → status and body. `asked` are the paths asked for."""

    def __init__(self) -> None:
        self.address = "http://127.0.0.1:1"
        self.asked: list[str] = []
        self.keys: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.add_key("first")

    def add_key(self, name: str, *, kind: str = "ES256") -> None:
        """One more key to sign with; it is published at once."""
        self.keys[name] = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        self.publish()

    def publish(self, **fields: Any) -> None:
        """Write both documents anew; `fields` are of the first."""
        discovery = {"issuer": self.address, "jwks_uri": f"{self.address}/keys", **fields}
        self.answers["/.well-known/openid-configuration"] = (200, json.dumps(discovery).encode())
        self.answers["/keys"] = (200, json.dumps(self.key_set()).encode())

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        return {"keys": [_public(name, key) for name, key in self.keys.items()]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token says; a change of None leaves the claim out."""
        now = int(time.time())
        usual = {
            "iss": self.address,
            "aud": AUDIENCE,
            "sub": "ann",
            "groups": ["finance"],
            "iat": now,
            "exp": now + 600,
        }
        merged = usual | changes
        return {name: value for name, value in merged.items() if value is not None}

    def token(
        self, key: str = "first", *, header: Mapping[str, Any] | None = None, **c: Any
    ) -> str:
        """A token by one of the keys; further arguments change its claims."""
        signer = self.keys[key]
        kind = "ES256" if isinstance(signer, ec.EllipticCurvePrivateKey) else "RS256"
        return jwt.encode(
            self.claims(**c), signer, algorithm=kind, headers={"kid": key, **(header or {})}
        )

    def unsigned(self, **claims: Any) -> str:
        """A token that says itself that nobody has signed it."""
        head = _encoded({"alg": "none", "kid": "first", "typ": "JWT"})
        return f"{head}.{_encoded(self.claims(**claims))}."

    def by_public_key(self, **claims: Any) -> str:
        """A token whose shared secret is the public key, which everybody knows."""
        public = self.keys["first"].public_key()
        secret = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        head = _encoded({"alg": "HS256", "kid": "first", "typ": "JWT"})
        signed = f"{head}.{_encoded(self.claims(**claims))}"
        signature = hmac.digest(secret, signed.encode(), "sha256")
        return f"{signed}.{_base64(signature)}"

    def with_header(self, **header: Any) -> str:
        """A good token under another header, whose signature does not cover it."""
        _, body, signature = self.token().split(".")
        return ".".join((_encoded({"alg": "ES256", **header}), body, signature))

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Answer on loopback for the length of a block; its address."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                status, body = issuer.answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        self.publish()
        try:
            yield self.address
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _encoded(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _public(name: str, key: Any) -> dict[str, Any]:
    public = key.public_key()
    is_curve = isinstance(key, ec.EllipticCurvePrivateKey)
    made = (ECAlgorithm if is_curve else RSAAlgorithm).to_jwk(public, as_dict=True)
    return {**made, "kid": name, "use": "sig", "alg": "ES256" if is_curve else "RS256"}
