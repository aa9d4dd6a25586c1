# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that holds passkeys, with its browser (WebAuthn Level 2, 5 and 6): each of their words to be spoiled."""

import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def text_of(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "==")


def cbor(value):
    """RFC 8949 3: numbers, bytes, text and maps."""
    def head(major, n):
        for bits, (least, form) in enumerate(((24, None), (1 << 8, ">B"), (1 << 16, ">H"), (1 << 32, ">I"))):
            if n < least:
                return bytes([major << 5 | n]) if form is None else bytes([major << 5 | 23 + bits]) + struct.pack(form, n)
        raise ValueError(n)

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


class Device:
    def __init__(self, origin, algorithm=-7):
        self.origin, self.algorithm, self.counter = origin, algorithm, 0
        self.rp = origin.split("://")[1].split(":")[0]
        self.handle = os.urandom(32)
        self.key = {-7: lambda: ec.generate_private_key(ec.SECP256R1()), -8: ed25519.Ed25519PrivateKey.generate,
                    -257: lambda: rsa.generate_private_key(65537, 2048)}[algorithm]()

    def cose(self):
        """RFC 9053 7 and RFC 8230 4."""
        public = self.key.public_key()
        if self.algorithm == -7:
            point = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        if self.algorithm == -8:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)}
        numbers = public.public_numbers()
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}

    def sign(self, data):
        if self.algorithm == -7:
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        if self.algorithm == -8:
            return self.key.sign(data)
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def data(self, flags, more=b"", rp=None):
        return hashlib.sha256((rp or self.rp).encode()).digest() + bytes([flags]) + struct.pack(">I", self.counter) + more

    def client(self, kind, challenge, change):
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **change}
        return json.dumps({k: v for k, v in said.items() if v is not None}).encode()

    def make(self, options, flags=PRESENT | VERIFIED, rp=None, key=None, **change):
        """RegistrationResponseJSON"""
        self.user = bytes_of(options["user"]["id"])
        attested = bytes(16) + struct.pack(">H", len(self.handle)) + self.handle + (cbor(self.cose()) if key is None else key)
        data = self.data(flags | ATTESTED, attested, rp)
        return {"id": text_of(self.handle), "rawId": text_of(self.handle), "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": text_of(self.client("webauthn.create", options["challenge"], change)),
                             "authenticatorData": text_of(data),
                             "attestationObject": text_of(cbor({"fmt": "none", "attStmt": {}, "authData": data}))}}

    def enter(self, options, flags=PRESENT | VERIFIED, rp=None, signature=None, **change):
        """AuthenticationResponseJSON"""
        data, client = self.data(flags, rp=rp), self.client("webauthn.get", options["challenge"], change)
        signed = signature or self.sign(data + hashlib.sha256(client).digest())
        return {"id": text_of(self.handle), "rawId": text_of(self.handle), "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": text_of(client), "authenticatorData": text_of(data),
                             "signature": text_of(signed), "userHandle": text_of(self.user)}}
