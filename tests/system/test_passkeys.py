# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in by a key that a device holds: what holds is let in, and each thing that does not is refused."""

import os
import pathlib
import shutil
import tempfile

import pytest

from authenticator import PRESENT, VERIFIED, Device, bytes_of, text_of
from server import Server
from test_accounts import add, sign_in
from test_openapi import PASSWORD, Checked

HERE = {"Sec-Fetch-Site": "same-origin"}


class Named(Checked):
    """Asks by a name, as a browser does."""

    def __call__(self, method, path, expected, body=None, headers=None):
        return super().__call__(method, path, expected, body,
                                {"Host": f"localhost:{self.server.port}", **HERE, **(headers or {})})


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-passkeys-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def house(folder):
    with Server(folder, auth="accounts") as server:
        owner = Named(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        yield server, owner


def origin_of(server):
    return f"http://localhost:{server.port}"


def make(ask, device, status=201, name="the phone", **spoil):
    options = ask("POST", "/api/v1/me/passkeys/options", 200).json
    return ask("POST", "/api/v1/me/passkeys", status, {"name": name, "credential": device.make(options, **spoil)}).json


def enter(ask, device, status=200, **spoil):
    options = ask("POST", "/api/v1/passkeys/options", 200).json
    return ask("POST", "/api/v1/passkeys", status, {"credential": device.enter(options, **spoil)}).json


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_device_signs_in(house, algorithm):
    server, owner = house
    device = Device(origin_of(server), algorithm)
    options = owner("POST", "/api/v1/me/passkeys/options", 200).json
    assert options["rp"] == {"id": "localhost", "name": "matinee"} and options["user"]["name"] == "anna"
    assert len(bytes_of(options["challenge"])) >= 32 and options["excludeCredentials"] == []
    assert algorithm in [p["alg"] for p in options["pubKeyCredParams"]]
    made = owner("POST", "/api/v1/me/passkeys", 201, {"name": "the phone", "credential": device.make(options)}).json
    assert made["name"] == "the phone" and made["site"] == "localhost" and made["seen"] is None
    again = owner("POST", "/api/v1/me/passkeys/options", 200).json
    assert [bytes_of(e["id"]) for e in again["excludeCredentials"]] == [device.handle]
    browser = Named(server)
    assert enter(browser, device)["username"] == "anna"
    assert browser("GET", "/api/v1/me", 200).json["username"] == "anna"
    [known] = owner("GET", "/api/v1/me/passkeys", 200).json["items"]
    assert known["id"] == made["id"] and known["seen"]
    owner("DELETE", f"/api/v1/me/passkeys/{made['id']}", 204)
    enter(Named(server), device, 401)
    owner("DELETE", f"/api/v1/me/passkeys/{made['id']}", 404)
    log = [(e["action"], e["object"]) for e in owner("GET", "/api/v1/audit", 200).json["items"]]
    for entry in (("passkey added", "the phone"), ("sign-in", "passkey"), ("passkey removed", made["id"]),
                  ("sign-in refused", "passkey")):
        assert entry in log


def test_what_does_not_hold_adds_nothing(house):
    server, owner = house
    device = Device(origin_of(server))
    ben = add(owner, "ben") and sign_in(server, "ben")
    for spoil in ({"flags": PRESENT}, {"flags": VERIFIED}, {"rp": "else.example"}, {"origin": "https://localhost"},
                  {"origin": "http://else.example"}, {"crossOrigin": True}, {"type": "webauthn.get"}, {"type": None},
                  {"challenge": text_of(os.urandom(56))}, {"challenge": ""}, {"challenge": None}, {"origin": None},
                  {"key": b""}, {"key": b"\xa0"}, {"key": b"\xff" * 77}, {"key": os.urandom(77)}):
        assert make(owner, device, 422, **spoil)["detail"], spoil
    # asked of another, asked for signing in, asked and answered before
    theirs = ben("POST", "/api/v1/me/passkeys/options", 409)  # by an address of numbers
    assert "address" in theirs.json["detail"]
    named = Named(server)
    named.cookie = ben.cookie
    options = named("POST", "/api/v1/me/passkeys/options", 200).json
    wish = {"name": "x", "credential": device.make(options)}
    owner("POST", "/api/v1/me/passkeys", 422, wish)
    asked = owner("POST", "/api/v1/passkeys/options", 200).json
    wrong = device.make({**options, "challenge": asked["challenge"]})
    owner("POST", "/api/v1/me/passkeys", 422, {"name": "x", "credential": wrong})
    named("POST", "/api/v1/me/passkeys", 201, wish)
    named("POST", "/api/v1/me/passkeys", 422, wish)
    make(owner, device, 409)  # it is ben's
    for body in ({}, {"name": "x"}, {"name": "x", "credential": {}}, {"name": "x", "credential": {"response": {}}},
                 {"name": "x", "credential": {"id": 7, "response": {"clientDataJSON": "", "authenticatorData": ""}}}):
        owner("POST", "/api/v1/me/passkeys", 400, body)
    other = Device(origin_of(server))
    for name in ("", " x", "x" * 65, "a\nb"):
        assert make(owner, other, 422, name=name)["field"] == "name"
    assert owner("GET", "/api/v1/me/passkeys", 200).json["items"] == []


def test_what_does_not_hold_opens_nothing(house):
    server, owner = house
    device, stranger = Device(origin_of(server)), Device(origin_of(server))
    made = make(owner, device)
    stranger.handle, stranger.user = device.handle, device.user
    browser = Named(server)
    words = set()
    for spoil in ({"flags": PRESENT}, {"flags": VERIFIED}, {"rp": "else.example"}, {"origin": "http://else.example"},
                  {"type": "webauthn.create"}, {"challenge": text_of(os.urandom(56))}, {"crossOrigin": True},
                  {"signature": b"x" * 70}, {"signature": device.sign(b"another thing")}):
        words.add(enter(browser, device, 401, **spoil)["detail"])
    words.add(enter(browser, stranger, 401)["detail"])
    assert browser.cookie is None and len(words) <= 5
    options = browser("POST", "/api/v1/passkeys/options", 200).json
    said = device.enter(options)
    Named(server)("POST", "/api/v1/passkeys", 200, {"credential": said})
    Named(server)("POST", "/api/v1/passkeys", 401, {"credential": said})  # once
    # a challenge of the settings is none for signing in
    options = owner("POST", "/api/v1/me/passkeys/options", 200).json
    browser("POST", "/api/v1/passkeys", 401, {"credential": device.enter(options)})
    for body in ({}, {"credential": {"response": {}}}):
        browser("POST", "/api/v1/passkeys", 400, body)
    owner("DELETE", f"/api/v1/me/passkeys/{made['id']}", 204)
    # an account that is disabled
    ben = add(owner, "ben")
    named = Named(server)
    named("POST", "/api/v1/session", 200, {"username": "ben", "password": PASSWORD})
    bens = Device(origin_of(server))
    make(named, bens)
    enter(Named(server), bens)
    owner("PATCH", f"/api/v1/users/{ben['id']}", 200, {"disabled": True})
    enter(Named(server), bens, 401)


def test_a_copied_device_is_noticed(house):
    """One that counts counts up; where two count, the second is not let in."""
    server, owner = house
    device = Device(origin_of(server))
    device.counter = 5
    make(owner, device)
    for counter, status in ((6, 200), (9, 200), (9, 401), (7, 401), (0, 401), (10, 200)):
        device.counter = counter
        enter(Named(server), device, status)
    assert any("auth.passkey_copied" in line for line in server.log)


def test_many_guesses_are_slowed_down(house):
    server, owner = house
    device = Device(origin_of(server))
    make(owner, device)
    for _ in range(30):
        enter(Named(server), device, 401, flags=PRESENT)
    refused = Named(server)("POST", "/api/v1/passkeys", 429,
                            {"credential": device.enter(Named(server)("POST", "/api/v1/passkeys/options", 200).json)})
    assert int(refused.header("retry-after")) >= 1


def test_the_only_way_in_is_not_taken_away(house):
    server, owner = house
    code = owner("POST", "/api/v1/invites", 201, {"role": "member"}).json["code"]
    ben = Named(server)
    ben("POST", "/api/v1/register", 201, {"username": "ben", "password": PASSWORD, "code": code})
    devices = [Device(origin_of(server)) for _ in range(21)]
    first = make(ben, devices[0])
    for device in devices[1:20]:
        make(ben, device)
    make(ben, devices[20], 409)  # one too many
    ben("DELETE", f"/api/v1/me/passkeys/{first['id']}", 204)
    # without a password the last one stays
    with server_database(server) as database:
        database.execute("UPDATE user SET password = '' WHERE folded = 'ben'")
    *others, last = ben("GET", "/api/v1/me/passkeys", 200).json["items"]
    for each in others:
        ben("DELETE", f"/api/v1/me/passkeys/{each['id']}", 204)
    ben("DELETE", f"/api/v1/me/passkeys/{last['id']}", 409)
    enter(Named(server), devices[1])


def server_database(server):
    import sqlite3
    return sqlite3.connect(f"{server.data}/matinee.db")


def test_they_outlive_a_restart_and_are_for_one_name(folder):
    data = tempfile.mkdtemp(prefix="matinee-data-")
    settings = {"http.public_url": "https://Films.example.org:443/"}  # as browsers do not say it
    device = Device("https://films.example.org")
    with Server(folder, auth="accounts", data=data, settings=settings) as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        assert make(owner, device)["site"] == "films.example.org"
    with Server(folder, auth="accounts", data=data, settings=settings) as server:
        assert enter(Checked(server), device)["username"] == "anna"
    with Server(folder, auth="accounts", data=data, settings={"http.public_url": "https://else.example.org"}) as server:
        enter(Checked(server), device, 401)
        device.origin = "https://else.example.org"  # a page that would have it for itself
        enter(Checked(server), device, 401)
        device.rp = "else.example.org"
        enter(Checked(server), device, 401)
    with Server(folder, auth="accounts", data=data, settings={"http.public_url": "http://films.lan"}) as server:
        assert "HTTPS" in Checked(server)("POST", "/api/v1/passkeys/options", 409).json["detail"]
    shutil.rmtree(data)
