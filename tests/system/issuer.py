# SPDX-License-Identifier: GPL-3.0-or-later
"""One who vouches for people: an OpenID Connect issuer, an OAuth 2 provider without it, and Cloudflare Access, as they
answer (RFC 6749, RFC 7636, OpenID Connect Core 1.0), each of its words to be spoiled by a test."""

import base64
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


class Key:
    def __init__(self, kid, alg="RS256"):
        self.kid, self.alg = kid, alg
        self.private = (rsa.generate_private_key(65537, 2048) if alg == "RS256"
                        else ec.generate_private_key(ec.SECP256R1()))

    def shown(self):
        algorithm = RSAAlgorithm if self.alg == "RS256" else ECAlgorithm
        if self.alg == "RS256":
            shown = json.loads(algorithm.to_jwk(self.private.public_key()))
        else:
            point = self.private.public_key().public_numbers()
            shown = {"kty": "EC", "crv": "P-256",
                     "x": base64.urlsafe_b64encode(point.x.to_bytes(32, "big")).rstrip(b"=").decode(),
                     "y": base64.urlsafe_b64encode(point.y.to_bytes(32, "big")).rstrip(b"=").decode()}
        shown.pop("key_ops", None)
        return {**shown, "kid": self.kid, "use": "sig", "alg": self.alg}

    def sign(self, claims, **header):
        return jwt.encode(claims, self.private, algorithm=self.alg, headers={"kid": self.kid, **header})


class Issuer:
    """`with Issuer() as issuer`: at issuer.url, until the end of the block."""

    def __init__(self):
        self.keys = [Key("k1")]
        self.client, self.secret = "matinee", "a client's secret: of 2 words"
        self.claims = {}      # of the next ID token: what is to be another; None takes one away
        self.header = {}      # of it
        self.sign_with = None
        self.discovery = {}   # the same for the discovery document
        self.userinfo = None  # the answer; None: there is no such endpoint
        self.emails = []
        self.token_answer = None  # (status, body) in place of the right one
        self.is_down = False
        self.asked = []       # (method, path)
        self.codes = {}       # code: (challenge, redirect_uri, nonce)

    def __enter__(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                issuer.answer(self, None)

            def do_POST(self):
                issuer.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # --- answers ---

    def answer(self, request, body):
        path = request.path.split("?")[0]
        self.asked.append((request.command, path))
        status, said = 404, {"error": "not found"}
        if self.is_down:
            status, said = 503, "<html>busy"
        elif path == "/.well-known/openid-configuration":
            status, said = 200, self.discover()
        elif path in ("/jwks", "/cdn-cgi/access/certs"):
            status, said = 200, {"keys": [key.shown() for key in self.keys]}
        elif path == "/token":
            status, said = self.token_answer or self.exchange(body, request.headers.get("Authorization"))
        elif path == "/userinfo" and self.userinfo is not None:
            right = request.headers.get("Authorization") == "Bearer an access token"
            status, said = (200, self.userinfo) if right else (401, {"error": "invalid_token"})
        elif path == "/emails":
            status, said = 200, self.emails
        text = (said if isinstance(said, str) else json.dumps(said)).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def discover(self):
        said = {"issuer": self.url, "authorization_endpoint": f"{self.url}/authorize?prompt=login",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks"}
        if self.userinfo is not None:
            said["userinfo_endpoint"] = f"{self.url}/userinfo"
        return {**said, **self.discovery}

    # --- the browser's way ---

    def authorize(self, url):
        """What a person does who says yes: the query of the address that he is sent back to."""
        query = dict(urllib.parse.parse_qsl(url.split("?", 1)[1]))
        assert query["response_type"] == "code" and query["client_id"] == self.client, query
        assert query["code_challenge_method"] == "S256" and len(query["state"]) >= 22, query
        code = f"code-{len(self.codes)}"
        self.codes[code] = (query["code_challenge"], query["redirect_uri"], query.get("nonce"))
        return query["redirect_uri"], {"code": code, "state": query["state"]}

    def exchange(self, body, authorization):
        form = dict(urllib.parse.parse_qsl(body))
        pair = f"{urllib.parse.quote(self.client, safe='')}:{urllib.parse.quote(self.secret, safe='')}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        in_form = form.get("client_id") == self.client and form.get("client_secret") == self.secret
        if authorization != basic and not in_form:
            return 401, {"error": "invalid_client"}
        known = self.codes.pop(form.get("code"), None)  # a code works once
        if known is None:
            return 400, {"error": "invalid_grant"}
        challenge, redirect_uri, nonce = known
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if made.rstrip(b"=").decode() != challenge or form["redirect_uri"] != redirect_uri:
            return 400, {"error": "invalid_grant", "error_description": "the verifier is wrong"}
        return 200, {"access_token": "an access token", "token_type": "Bearer", "expires_in": 3600,
                     "id_token": self.id_token(nonce)}

    def spoiled(self, claims):
        claims = {**claims, **self.claims}
        return {name: value for name, value in claims.items() if value is not None}

    def id_token(self, nonce):
        now = int(time.time())
        claims = self.spoiled({"iss": self.url, "sub": "248289761001", "aud": self.client, "exp": now + 300,
                               "iat": now, "nonce": nonce, "email": "Dora@Example.com", "email_verified": True,
                               "preferred_username": "Dora"})
        return (self.sign_with or self.keys[0]).sign(claims, **self.header)

    def access_token(self, audience="the tag"):
        now = int(time.time())
        claims = self.spoiled({"iss": self.url, "aud": [audience], "email": "dora@example.com", "exp": now + 60,
                               "iat": now, "nbf": now, "type": "app", "sub": "7335d417-61da-459d"})
        return (self.sign_with or self.keys[0]).sign(claims, **self.header)
