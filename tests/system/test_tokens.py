# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that the server signs itself: for programs, and in the addresses of films for who brings no cookie. Each way in
which one may be wrong is tried in the unit tests auth/jwt and auth/tokens; here, what they open and when that ends."""

import base64
import json
import pathlib
import shutil
import socket
import tempfile
import threading
import time

import pytest

import films
from server import SLOW, Server
from test_accounts import add, make_key, sign_in
from test_openapi import PASSWORD, Checked
from test_personal import titles


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-tokens-"))
    shutil.copy(films.make("plain.mkv"), made / "Long (1979).mkv")
    shutil.copy(films.make("plain.mp4"), made / "Short (1985).mp4")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def house(folder):
    with Server(folder, auth="accounts") as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        yield server, owner


def tokens(server, name="anna"):
    return Checked(server)("POST", "/api/v1/token", 200, {"username": name, "password": PASSWORD}).json


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_program_signs_in_and_refreshes(house):
    server, owner = house
    first = tokens(server)
    assert first["expires_in"] == 900
    header = json.loads(base64.urlsafe_b64decode(first["access_token"].split(".")[0] + "=="))
    claims = json.loads(base64.urlsafe_b64decode(first["access_token"].split(".")[1] + "=="))
    assert header["alg"] == "ES256" and claims["exp"] - claims["iat"] == 900
    assert server.ask("GET", "/api/v1/me", headers=bearer(first["access_token"])).json["username"] == "anna"
    assert server.ask("GET", "/api/v1/users", headers=bearer(first["access_token"])).status == 200
    # what it refreshes with is no cookie and no key
    for headers in (bearer(first["refresh_token"]), {"Cookie": f"matinee_session={first['refresh_token']}"},
                    {"Cookie": f"matinee_session={first['refresh_token'][3:]}"},
                    {"Cookie": f"matinee_session={first['access_token']}"}):
        assert server.ask("GET", "/api/v1/me", headers=headers).status == 401
    ask = Checked(server)
    second = ask("POST", "/api/v1/token", 200, {"refresh_token": first["refresh_token"]}).json
    assert second["refresh_token"] != first["refresh_token"]
    for token in (first, second):  # the one before is good for its quarter of an hour
        assert server.ask("GET", "/api/v1/me", headers=bearer(token["access_token"])).status == 200
    [listed] = [s for s in owner("GET", "/api/v1/me/sessions", 200).json["items"] if s["program"]]
    for wrong in ("", "mr_", "mr_" + "A" * 43, second["access_token"], first["refresh_token"][:-1]):
        assert ask("POST", "/api/v1/token", 401, {"refresh_token": wrong}).json["field"] == "refresh_token"
    ask("POST", "/api/v1/token", 400, {"refresh_token": 5})
    ask("POST", "/api/v1/token", 401, {"username": "anna", "password": "a guess"})
    # both end with the session
    owner("DELETE", f"/api/v1/me/sessions/{listed['id']}", 204)
    assert server.ask("GET", "/api/v1/me", headers=bearer(second["access_token"])).status == 401
    ask("POST", "/api/v1/token", 401, {"refresh_token": second["refresh_token"]})


def test_what_was_refreshed_with_before_ends_the_session(house):
    """Two have it: one of them has stolen it."""
    server, owner = house
    first = tokens(server)
    ask = Checked(server)
    second = ask("POST", "/api/v1/token", 200, {"refresh_token": first["refresh_token"]}).json
    ask("POST", "/api/v1/token", 401, {"refresh_token": first["refresh_token"]})
    for token in (first, second):
        assert server.ask("GET", "/api/v1/me", headers=bearer(token["access_token"])).status == 401
    ask("POST", "/api/v1/token", 401, {"refresh_token": second["refresh_token"]})
    assert not [s for s in owner("GET", "/api/v1/me/sessions", 200).json["items"] if s["program"]]


def test_tokens_outlive_a_restart_and_not_an_account(folder):
    data = tempfile.mkdtemp(prefix="matinee-data-")
    try:
        with Server(folder, auth="accounts", data=data) as server:
            owner = Checked(server)
            owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
            id_ = add(owner, "ben")["id"]
            held = tokens(server, "ben")
        with Server(folder, auth="accounts", data=data) as server:
            owner.server = server
            assert server.ask("GET", "/api/v1/me", headers=bearer(held["access_token"])).status == 200
            held = Checked(server)("POST", "/api/v1/token", 200, {"refresh_token": held["refresh_token"]}).json
            owner("PATCH", f"/api/v1/users/{id_}", 200, {"disabled": True})
            assert server.ask("GET", "/api/v1/me", headers=bearer(held["access_token"])).status == 401
            Checked(server)("POST", "/api/v1/token", 401, {"refresh_token": held["refresh_token"]})
            kept = b"".join(f.read_bytes() for f in pathlib.Path(data).glob("matinee.db*"))
            assert held["refresh_token"].encode() not in kept
            assert held["refresh_token"] not in "".join(server.log)
    finally:
        shutil.rmtree(data)


# --- addresses ---

def parts_of(cast):
    """(before the token, token, file and rest)"""
    before, rest = cast.split("~")
    token, rest = rest.split("/", 1)
    return before + "~", token, "/" + rest


def test_an_address_opens_one_film_without_a_cookie(house):
    server, owner = house
    (item, file), (_, other) = titles(owner)["Long"], titles(owner)["Short"]
    cast = owner("POST", "/api/v1/playback", 201, {"item": item}).json["cast"]
    got = server.ask("GET", cast)
    assert got.status == 200 and got.header("access-control-allow-origin") == "*"
    assert got.header("cross-origin-resource-policy") == "cross-origin"
    assert got.header("access-control-allow-credentials") is None
    # all of it, by what stands in it
    base = cast.split("?")[0].removesuffix("master.m3u8")
    playlists = [line for line in got.text.splitlines() if line and not line.startswith("#")]
    media = server.ask("GET", base + playlists[0])
    assert media.status == 200
    folder = base + playlists[0].split("/")[0] + "/"
    names = [line for line in media.text.splitlines() if line and not line.startswith("#")]
    init = media.text.split('URI="')[1].split('"')[0]
    for name in (init, names[0], names[-1]):
        assert server.ask("GET", folder + name).status == 200, name
    before, token, rest = parts_of(cast)
    for wrong in (before + token + rest.replace(file, other), before + token[:-2] + "xx" + rest,
                  before + token + "x" + rest, before + "x" + rest, before + rest,
                  cast.replace("/hls/~", "/hls/"), f"/hls/{file}/master.m3u8",
                  f"/api/v1/files/{file}/raw", f"/api/v1/~{token}/files/{file}"):
        assert server.ask("GET", wrong, headers={"Via": "1.1 x"}).status in (401, 403, 404), wrong
    assert server.ask("OPTIONS", cast, headers={"Origin": "https://tv.example",
                                                "Access-Control-Request-Method": "GET"}).status == 204


def test_an_address_ends_with_its_session(house):
    server, owner = house
    item, _ = titles(owner)["Long"]
    add(owner, "ben")
    ben, again = sign_in(server, "ben"), sign_in(server, "ben")
    cast = ben("POST", "/api/v1/playback", 201, {"item": item}).json["cast"]
    assert server.ask("GET", cast).status == 200
    again("DELETE", "/api/v1/session", 204)
    assert server.ask("GET", cast).status == 200
    ben("DELETE", "/api/v1/session", 204)
    assert server.ask("GET", cast).status == 403
    # of a key, which must be one for playing
    for scopes, status in ((("play",), 200), (("read", "play"), 200)):
        id_, key = make_key(owner, *scopes)
        cast = server.ask("POST", "/api/v1/playback", {"item": item}, key).json["cast"]
        assert server.ask("GET", cast).status == status
        owner("DELETE", f"/api/v1/me/keys/{id_}", 204)
        assert server.ask("GET", cast).status == 403


def test_an_address_of_a_child_opens_what_is_for_it(house):
    server, owner = house
    item, _ = titles(owner)["Long"]
    add(owner, "cleo", role="child", age_limit=6)
    child = sign_in(server, "cleo")
    owner("PATCH", f"/api/v1/titles/{item}", 200, {"age": 6})
    cast = child("POST", "/api/v1/playback", 201, {"item": item}).json["cast"]
    assert server.ask("GET", cast).status == 200
    owner("PATCH", f"/api/v1/titles/{item}", 200, {"age": 12})
    assert server.ask("GET", cast).status == 404


def test_nobody_signs_in_and_an_address_works(folder):
    with Server(folder) as server:
        ask = Checked(server)
        item, _ = titles(ask)["Long"]
        cast = ask("POST", "/api/v1/playback", 201, {"item": item}).json["cast"]
        assert server.ask("GET", cast).status == 200


# --- what is under way ends with its session ---

def test_a_download_stops_when_its_session_ends(house):
    """A file that is being fetched, slowly: within a minute of the end of the session the connection is broken."""
    server, owner = house
    _, file = titles(owner)["Long"]
    add(owner, "ben")
    ben = sign_in(server, "ben")
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(f"GET /api/v1/files/{file}/raw HTTP/1.1\r\nHost: localhost\r\nCookie: {ben.cookie}\r\n\r\n".encode())
        line.settimeout(90)
        assert line.recv(1000).startswith(b"HTTP/1.1 200")
        ended = threading.Timer(1, lambda: ben("DELETE", "/api/v1/session", 204))
        ended.start()
        begun = time.monotonic()
        taken = 0
        while time.monotonic() < begun + 80:
            try:
                got = line.recv(512)
            except OSError:
                got = b""
            if not got:
                break
            taken += len(got)
            time.sleep(0.2)
        ended.join()
        assert time.monotonic() < begun + 61, taken
