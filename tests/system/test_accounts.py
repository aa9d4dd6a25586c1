# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose house it is: who may do what, asked of the running server; people, their sessions and keys."""

import json
import pathlib
import re
import shutil
import tempfile

import pytest

import films
from server import Server
from test_openapi import DOCUMENT, PASSWORD, Checked, routes_of_document

# Who may ask each route: anyone, whoever is signed in (with the scope a key needs for it), a person but
# no key, an administrator. A route that is not here fails the test, as does one that is no more.
# Who brings a token in the address alone: whoever else asks is refused, whatever he is (test_tokens.py).
ANYONE, PERSON, BY_TOKEN = "anyone", "person", "by token"
ROLES = ("child", "member", "admin")
TABLE = {
    ("GET", "/healthz"): ANYONE,
    ("GET", "/metrics"): ("admin or key", "metrics"),
    ("GET", "/api/v1/status"): ANYONE,
    ("POST", "/api/v1/setup"): ANYONE,
    ("POST", "/api/v1/session"): ANYONE,
    ("DELETE", "/api/v1/session"): PERSON,
    ("POST", "/api/v1/token"): ANYONE,
    ("POST", "/api/v1/register"): ANYONE,
    ("POST", "/api/v1/reset"): ANYONE,
    ("POST", "/api/v1/verify"): ANYONE,
    ("POST", "/api/v1/passkeys/options"): ANYONE,
    ("POST", "/api/v1/passkeys"): ANYONE,
    ("GET", "/api/v1/me/passkeys"): PERSON,
    ("POST", "/api/v1/me/passkeys/options"): PERSON,
    ("POST", "/api/v1/me/passkeys"): PERSON,
    ("DELETE", "/api/v1/me/passkeys/{id}"): PERSON,
    ("PUT", "/api/v1/me/email"): PERSON,
    ("DELETE", "/api/v1/me/email"): PERSON,
    ("GET", "/auth/{provider}/start"): ANYONE,
    ("GET", "/auth/{provider}/callback"): ANYONE,
    ("GET", "/api/v1/auth/identities"): PERSON,
    ("DELETE", "/api/v1/auth/identities/{id}"): PERSON,
    ("GET", "/api/v1/me"): ("child", "read"),
    ("PATCH", "/api/v1/me"): PERSON,
    ("GET", "/api/v1/me/export"): PERSON,
    ("PUT", "/api/v1/me/password"): PERSON,
    ("GET", "/api/v1/me/sessions"): PERSON,
    ("DELETE", "/api/v1/me/sessions/{id}"): PERSON,
    ("GET", "/api/v1/me/keys"): PERSON,
    ("POST", "/api/v1/me/keys"): PERSON,
    ("DELETE", "/api/v1/me/keys/{id}"): PERSON,
    ("GET", "/api/v1/users"): ("admin", "admin"),
    ("POST", "/api/v1/users"): ("admin", "admin"),
    ("PATCH", "/api/v1/users/{id}"): ("admin", "admin"),
    ("DELETE", "/api/v1/users/{id}"): ("admin", "admin"),
    ("POST", "/api/v1/users/{id}/reset"): ("admin", "admin"),
    ("GET", "/api/v1/invites"): ("admin", "admin"),
    ("POST", "/api/v1/invites"): ("admin", "admin"),
    ("DELETE", "/api/v1/invites/{id}"): ("admin", "admin"),
    ("GET", "/api/v1/audit"): ("admin", "admin"),
    ("GET", "/api/v1/backups"): ("admin", "admin"),
    ("POST", "/api/v1/backups"): ("admin", "admin"),
    ("GET", "/api/v1/backups/{id}"): "admin in person",
    ("POST", "/api/v1/restore"): "admin in person",
    ("GET", "/api/v1/library"): ("child", "read"),
    ("GET", "/api/v1/library/scan"): ("member", "read"),
    ("POST", "/api/v1/library/scan"): ("admin", "admin"),
    ("DELETE", "/api/v1/library/scan"): ("admin", "admin"),
    ("GET", "/api/v1/titles/{id}"): ("child", "read"),
    ("PATCH", "/api/v1/titles/{id}"): ("admin", "admin"),
    ("GET", "/api/v1/titles/{id}/episodes"): ("child", "read"),
    ("GET", "/api/v1/items/{id}/next"): ("child", "play"),
    ("GET", "/api/v1/progress/{id}"): ("child", "play"),
    ("PUT", "/api/v1/progress/{id}"): ("child", "play"),
    ("POST", "/api/v1/progress/{id}"): ("child", "play"),
    ("DELETE", "/api/v1/progress/{id}"): ("child", "play"),
    ("PUT", "/api/v1/watched/{id}"): ("child", "play"),
    ("DELETE", "/api/v1/watched/{id}"): ("child", "play"),
    ("GET", "/api/v1/history"): ("child", "play"),
    ("DELETE", "/api/v1/history/{id}"): ("child", "play"),
    ("GET", "/api/v1/continue"): ("child", "play"),
    ("PUT", "/api/v1/continue/{id}"): ("child", "play"),
    ("DELETE", "/api/v1/continue/{id}"): ("child", "play"),
    ("GET", "/api/v1/watchlist"): ("child", "play"),
    ("PUT", "/api/v1/watchlist/{id}"): ("child", "play"),
    ("DELETE", "/api/v1/watchlist/{id}"): ("child", "play"),
    ("GET", "/api/v1/items/{id}/comments"): ("child", "play"),
    ("POST", "/api/v1/items/{id}/comments"): ("child", "play"),
    ("DELETE", "/api/v1/comments/{id}"): ("child", "play"),
    ("GET", "/api/v1/files/{id}"): ("child", "read"),
    ("GET", "/api/v1/files/{id}/availability"): ("child", "read"),
    ("GET", "/api/v1/files/{id}/subtitles"): ("child", "play"),
    ("GET", "/api/v1/files/{id}/subtitles/{name}"): ("child", "play"),
    ("GET", "/api/v1/files/{id}/fonts/{n}"): ("child", "play"),
    ("GET", "/api/v1/files/{id}/raw"): ("child", "play"),
    ("POST", "/api/v1/playback"): ("child", "play"),
    ("GET", "/api/v1/playback"): ("child", "play"),
    ("GET", "/api/v1/playback/{id}"): ("child", "play"),
    ("PUT", "/api/v1/playback/{id}"): ("child", "play"),
    ("DELETE", "/api/v1/playback/{id}"): ("child", "play"),
    ("GET", "/api/v1/downloads"): ("member", "download"),
    ("POST", "/api/v1/downloads"): ("admin", "download"),
    ("GET", "/api/v1/downloads/{id}"): ("member", "download"),
    ("PATCH", "/api/v1/downloads/{id}"): ("admin", "download"),
    ("DELETE", "/api/v1/downloads/{id}"): ("admin", "download"),
    ("GET", "/api/v1/links"): ("member", "download"),
    ("POST", "/api/v1/links"): ("member", "download"),
    ("DELETE", "/api/v1/links/{id}"): ("member", "download"),
    ("GET", "/api/v1/events"): ("child", "read"),
    ("GET", "/stream"): ("member", "download"),
    ("GET", "/api/validate"): ("member", "download"),
    ("GET", "/hls/{file}/master.m3u8"): ("child", "play"),
    ("GET", "/hls/{file}/storyboard.vtt"): ("child", "play"),
    ("GET", "/hls/{file}/{rendition}/{name}"): ("child", "play"),
    ("GET", "/hls/~{token}/{file}/master.m3u8"): BY_TOKEN,
    ("GET", "/hls/~{token}/{file}/storyboard.vtt"): BY_TOKEN,
    ("GET", "/hls/~{token}/{file}/{rendition}/{name}"): BY_TOKEN,
}
SCOPES = ("read", "play", "request", "download", "admin", "metrics")
#: From elsewhere: what this machine itself may ask without a sign-in does not count.
ELSEWHERE = {"Via": "1.1 test"}


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-accounts-"))
    shutil.copy(films.make("plain.mkv"), made / "Plain (1979).mkv")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def house(folder):
    with Server(folder, auth="accounts",
                settings={"torrent.listen": "127.0.0.1:0", "torrent.dht": "false"}) as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        yield server, owner


def sign_in(server, name, password=PASSWORD):
    ask = Checked(server)
    ask("POST", "/api/v1/session", 200, {"username": name, "password": password})
    return ask


def add(owner, name, **more):
    return owner("POST", "/api/v1/users", 201,
                 {"username": name, "password": PASSWORD, **more}).json


def make_key(ask, *scopes):
    made = ask("POST", "/api/v1/me/keys", 201, {"name": "a program", "scopes": list(scopes)}).json
    return made["id"], {"Authorization": "Bearer " + made["key"]}


# --- the table ---

def may(who, role, scope):
    """Whether a role may, in person (scope None) or by a key of one scope."""
    if who == ANYONE:
        return True
    if who == BY_TOKEN:
        return False
    if who == PERSON:
        return scope is None and role is not None
    if who == "admin in person":
        return scope is None and role == "admin"
    least, needed = who
    if role is None or scope not in (None, needed):
        return False
    if least == "admin or key":
        return role == "admin" or scope is not None
    return ROLES.index(role) >= ROLES.index(least)


def ask_route(server, method, path, headers):
    real = re.sub(r"\{[^}]+\}", "nosuch", path)
    body = {} if "requestBody" in DOCUMENT["paths"][path][method.lower()] else None
    return server.ask(method, real, body, {**ELSEWHERE, **headers})


def test_who_may_do_what(house):
    """Every route, asked by nobody, by each role, and by keys of each scope of each role."""
    server, owner = house
    assert set(TABLE) == routes_of_document()
    add(owner, "ben")
    add(owner, "cleo", role="child", age_limit=6)
    askers = [("nobody", None, None, {})]
    for role, ask in (("admin", owner), ("member", sign_in(server, "ben")),
                      ("child", sign_in(server, "cleo"))):
        for scope in SCOPES:
            askers.append((f"key of {role} for {scope}", role, scope, make_key(ask, scope)[1]))
        askers.append((role, role, None, {"Cookie": ask.cookie}))
    wrong = []
    for who, role, scope, headers in askers:
        # signing out comes last: it ends what the others need
        for (method, path), least in sorted(TABLE.items(), key=lambda row: row[0][0] == "DELETE" and
                                            row[0][1] == "/api/v1/session"):
            got = ask_route(server, method, path, headers)
            refused = 401 if role is None and least != BY_TOKEN else 403
            allowed = got.status not in (401, 403)
            if allowed != may(least, role, scope) or (not allowed and got.status != refused):
                wrong.append((who, method, path, got.status, got.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_is_anothers_looks_as_what_is_not_there(house):
    server, owner = house
    add(owner, "ben")
    add(owner, "cleo")
    ben, cleo = sign_in(server, "ben"), sign_in(server, "cleo")
    [session] = ben("GET", "/api/v1/me/sessions", 200).json["items"]
    key, _ = make_key(ben, "read")
    film = next(iter(library(server, ben)))
    playback = ben("POST", "/api/v1/playback", 201, {"file": film}).json["id"]
    for method, path, body in (
            ("DELETE", f"/api/v1/me/sessions/{session['id']}", None),
            ("DELETE", f"/api/v1/me/keys/{key}", None),
            ("GET", f"/api/v1/playback/{playback}", None),
            ("PUT", f"/api/v1/playback/{playback}", {"position": 1}),
            ("DELETE", f"/api/v1/playback/{playback}", None)):
        theirs = cleo(method, path, 404, body).json
        gone = cleo(method, path.rsplit("/", 1)[0] + "/aaaaaaaaaaaaaaaaaaaa", 404, body).json
        assert theirs["detail"] == gone["detail"]
    cleo("GET", f"/api/v1/events?topics=playback:{playback}", 404)
    assert cleo("GET", "/api/v1/playback", 200).json["items"] == []
    assert owner("GET", f"/api/v1/playback/{playback}", 200).json["id"] == playback


def library(server, ask):
    """{file id: title}, once all files were looked at."""
    while True:
        items = ask("GET", "/api/v1/library", 200).json["items"]
        files = {f["id"]: t for t in items for f in t["files"] if f["state"] == "ready"}
        if files:
            return files


# --- people ---

def test_people_come_change_and_go(house):
    server, owner = house
    ben = add(owner, "Ben")
    assert ben["role"] == "member" and ben["has_password"] and not ben["disabled"]
    owner("POST", "/api/v1/users", 409, {"username": "BEN", "password": PASSWORD})
    assert owner("POST", "/api/v1/users", 422,
                 {"username": "x", "password": "short"}).json["field"] == "password"
    assert owner("POST", "/api/v1/users", 400, {"username": "x", "role": "king"}).json["field"] == "role"
    assert [u["username"] for u in owner("GET", "/api/v1/users", 200).json["items"]] == ["anna", "Ben"]
    ask = sign_in(server, "ben")
    path = f"/api/v1/users/{ben['id']}"
    # a role and a name count from the next request on, without signing in again
    ask("GET", "/api/v1/users", 403)
    owner("PATCH", path, 200, {"role": "admin", "username": "Benno"})
    assert ask("GET", "/api/v1/me", 200).json["username"] == "Benno"
    ask("GET", "/api/v1/users", 200)
    owner("PATCH", path, 200, {"role": "member"})
    ask("GET", "/api/v1/users", 403)
    owner("PATCH", path, 409, {"username": "ANNA"})
    _, key = make_key(ask, "read")
    assert server.ask("GET", "/api/v1/me", headers=key).status == 200
    owner("PATCH", path, 200, {"disabled": True})
    ask("GET", "/api/v1/me", 401)
    assert server.ask("GET", "/api/v1/me", headers=key).status == 401
    refused = Checked(server)("POST", "/api/v1/session", 401,
                              {"username": "benno", "password": PASSWORD})
    unknown = Checked(server)("POST", "/api/v1/session", 401,
                              {"username": "nobody", "password": PASSWORD})
    assert refused.body == unknown.body
    owner("PATCH", path, 200, {"disabled": False})
    ask = sign_in(server, "benno")
    owner("DELETE", path, 204)
    ask("GET", "/api/v1/me", 401)
    owner("DELETE", path, 404)
    owner("PATCH", path, 404, {"role": "admin"})
    assert [u["username"] for u in owner("GET", "/api/v1/users", 200).json["items"]] == ["anna"]


def test_somebody_can_always_administer(house):
    server, owner = house
    anna = owner("GET", "/api/v1/me", 200).json["id"]
    for change in ({"role": "member"}, {"disabled": True}):
        owner("PATCH", f"/api/v1/users/{anna}", 409, change)
    owner("DELETE", f"/api/v1/users/{anna}", 409)
    assert owner("GET", "/api/v1/me", 200).json["role"] == "admin"
    ben = add(owner, "ben", role="admin")
    owner("PATCH", f"/api/v1/users/{ben['id']}", 200, {"disabled": True})
    owner("PATCH", f"/api/v1/users/{anna}", 409, {"role": "member"})
    owner("PATCH", f"/api/v1/users/{ben['id']}", 200, {"disabled": False})
    owner("PATCH", f"/api/v1/users/{anna}", 200, {"role": "member"})
    owner("GET", "/api/v1/users", 403)


# --- sessions, keys, passwords ---

def test_a_session_that_is_ended_is_over_at_once(house):
    server, owner = house
    other = sign_in(server, "anna")
    items = owner("GET", "/api/v1/me/sessions", 200).json["items"]
    assert len(items) == 2 and sum(s["current"] for s in items) == 1
    [theirs] = [s for s in items if not s["current"]]
    assert theirs["address"] == "127.0.0.1"
    owner("DELETE", f"/api/v1/me/sessions/{theirs['id']}", 204)
    other("GET", "/api/v1/me", 401)
    owner("GET", "/api/v1/me", 200)
    owner("DELETE", f"/api/v1/me/sessions/{theirs['id']}", 404)


def test_a_new_password_ends_the_other_sessions(house):
    server, owner = house
    other = sign_in(server, "anna")
    wish = {"current": "wrong, it is", "password": "another long one"}
    assert owner("PUT", "/api/v1/me/password", 403, wish).json["field"] == "current"
    short = {"current": PASSWORD, "password": "short"}
    assert owner("PUT", "/api/v1/me/password", 422, short).json["field"] == "password"
    other("GET", "/api/v1/me", 200)
    owner("PUT", "/api/v1/me/password", 204, {**wish, "current": PASSWORD})
    owner("GET", "/api/v1/me", 200)
    other("GET", "/api/v1/me", 401)
    Checked(server)("POST", "/api/v1/session", 401, {"username": "anna", "password": PASSWORD})
    sign_in(server, "anna", wish["password"])


def hashes_of(ask):
    return int(re.search(r"^matinee_password_hashes_total (\d+)$", ask("GET", "/metrics", 200).text, re.M)[1])


def test_a_name_that_there_is_costs_and_says_the_same(house):
    """Unknown, disabled and known names: one hash each, and the same bytes."""
    server, owner = house
    gone = add(owner, "gone")
    owner("PATCH", f"/api/v1/users/{gone['id']}", 200, {"disabled": True})
    said = set()
    for name, password in (("nobody", PASSWORD), ("gone", PASSWORD), ("gone", "a guess"), ("anna", "a guess")):
        before = hashes_of(owner)
        got = Checked(server)("POST", "/api/v1/session", 401, {"username": name, "password": password})
        assert hashes_of(owner) == before + 1, name
        said.add((got.body, tuple(sorted(k for k in got.headers if k != "date"))))
    assert len(said) == 1


def test_a_browser_that_signed_in_before_does_not_wait_for_others(house):
    server, _ = house
    wish = {"username": "anna", "password": PASSWORD}
    connection = server.connect()
    connection.request("POST", "/api/v1/session", json.dumps(wish), {"Content-Type": "application/json"})
    got = connection.getresponse()
    got.read()
    [known] = [c for c in got.msg.get_all("Set-Cookie") if c.startswith("matinee_known=")]
    assert "HttpOnly" in known and "SameSite=Strict" in known and "Path=/api/v1/session;" in known
    for _ in range(10):
        Checked(server)("POST", "/api/v1/session", 401, {**wish, "password": "a guess"})
    waits = Checked(server)("POST", "/api/v1/session", 429, wish)
    assert 1 <= int(waits.header("retry-after")) <= 5
    known = {"Cookie": known.split(";")[0]}
    Checked(server)("POST", "/api/v1/session", 200, wish, known)
    Checked(server)("POST", "/api/v1/session", 429, wish)


def test_keys_open_what_their_scopes_say(house):
    server, owner = house
    id_, key = make_key(owner, "read", "play")
    film = next(iter(library(server, owner)))
    assert server.ask("GET", f"/hls/{film}/master.m3u8", headers=key).status == 200
    refused = server.ask("GET", "/api/v1/users", headers=key)
    assert refused.status == 403 and "scope admin" in refused.json["detail"]
    [listed] = owner("GET", "/api/v1/me/keys", 200).json["items"]
    assert listed["scopes"] == ["read", "play"] and listed["seen"] and "key" not in listed
    secret = key["Authorization"].removeprefix("Bearer ")
    for wrong in (secret[:-1], secret + "x", secret.removeprefix("mk_"), "mk_", secret.swapcase()):
        headers = {"Authorization": "Bearer " + wrong}
        assert server.ask("GET", "/api/v1/me", headers=headers).status == 401, wrong
    # a key is no session: as a cookie it opens nothing
    for cookie in (secret, secret.removeprefix("mk_")):
        got = server.ask("GET", "/api/v1/me", headers={"Cookie": f"matinee_session={cookie}"})
        assert got.status == 401
    owner("DELETE", f"/api/v1/me/keys/{id_}", 204)
    assert server.ask("GET", "/api/v1/me", headers=key).status == 401
    for wish, field in (({"name": "x"}, "scopes"), ({"name": "x", "scopes": []}, "scopes"),
                        ({"name": "x", "scopes": ["all"]}, "scopes"), ({"scopes": ["read"]}, "name")):
        assert owner("POST", "/api/v1/me/keys", 400, wish).json["field"] == field
    assert owner("POST", "/api/v1/me/keys", 422, {"name": "", "scopes": ["read"]}).json["field"] == "name"
    for _ in range(50):
        make_key(owner, "read")
    owner("POST", "/api/v1/me/keys", 409, {"name": "one too many", "scopes": ["read"]})


def test_nothing_secret_is_kept_or_logged(house):
    """A key, a session's token, the codes of links: the disk and the log know their hashes alone."""
    server, owner = house
    _, key = make_key(owner, "read")
    secrets = [key["Authorization"].removeprefix("Bearer "), owner.cookie.split("=")[1], PASSWORD,
               owner("POST", "/api/v1/invites", 201, {}).json["code"]]
    server.stop()
    kept = b"".join(f.read_bytes() for f in pathlib.Path(server.data).glob("matinee.db*"))
    log = "".join(server.log)
    for secret in secrets:
        assert secret.encode() not in kept and secret not in log


def test_sessions_and_keys_outlive_a_restart(folder):
    server = Server(folder, auth="accounts").start()
    data = server.data
    owner = Checked(server)
    owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
    _, key = make_key(owner, "read")
    ended, ended_key = make_key(owner, "read")
    owner("DELETE", f"/api/v1/me/keys/{ended}", 204)
    ben = add(owner, "ben")
    ask = sign_in(server, "ben")
    _, key_of_ben = make_key(ask, "read")
    owner("PATCH", f"/api/v1/users/{ben['id']}", 200, {"disabled": True})
    server.stop(kill=True)
    with Server(folder, auth="accounts", data=data) as server:
        for headers, status in (({"Cookie": owner.cookie}, 200), (key, 200), (ended_key, 401),
                                ({"Cookie": ask.cookie}, 401), (key_of_ben, 401)):
            assert server.ask("GET", "/api/v1/me", headers=headers).status == status, headers
    shutil.rmtree(data)


# --- invitations, links for a password ---

def test_an_invitation_is_good_once(house):
    server, owner = house
    made = owner("POST", "/api/v1/invites", 201, {"role": "admin", "days": 1}).json
    other = owner("POST", "/api/v1/invites", 201, {}).json
    assert made["by"] == "anna" and made["role"] == "admin" and other["role"] == "member"
    listed = owner("GET", "/api/v1/invites", 200).json["items"]
    assert {i["id"] for i in listed} == {made["id"], other["id"]} and "code" not in listed[0]
    wish = {"username": "ben", "password": PASSWORD, "code": made["code"]}
    assert Checked(server)("POST", "/api/v1/register", 422,
                           {**wish, "password": "short"}).json["field"] == "password"
    Checked(server)("POST", "/api/v1/register", 409, {**wish, "username": "Anna"})
    ben = Checked(server)
    assert ben("POST", "/api/v1/register", 201, wish).json["role"] == "admin"
    ben("GET", "/api/v1/users", 200)
    assert Checked(server)("POST", "/api/v1/register", 404,
                           {**wish, "username": "cleo"}).json["field"] == "code"
    assert Checked(server)("POST", "/api/v1/register", 422,
                           {"username": "cleo", "password": PASSWORD}).json["field"] == "code"
    owner("DELETE", f"/api/v1/invites/{other['id']}", 204)
    owner("DELETE", f"/api/v1/invites/{other['id']}", 404)
    Checked(server)("POST", "/api/v1/register", 404,
                    {"username": "cleo", "password": PASSWORD, "code": other["code"]})
    for days in (0, 91, 1.5, "1"):
        assert owner("POST", "/api/v1/invites", 400, {"days": days}).json["field"] == "days"


@pytest.mark.parametrize("registration,status", [("open", 201), ("closed", 403)])
def test_registration_is_open_or_closed(folder, registration, status):
    with Server(folder, auth="accounts", settings={"auth.registration": registration}) as server:
        ask = Checked(server)
        ask("POST", "/api/v1/register", 401, {"username": "ben", "password": PASSWORD})
        ask("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        assert ask("GET", "/api/v1/status", 200).json["registration"] == registration
        ben = Checked(server)
        got = ben("POST", "/api/v1/register", status, {"username": "ben", "password": PASSWORD})
        assert status == 403 or got.json["role"] == "member"


def test_a_link_sets_a_password_once(house):
    server, owner = house
    ben = owner("POST", "/api/v1/users", 201, {"username": "ben"}).json
    assert not ben["has_password"]
    Checked(server)("POST", "/api/v1/session", 401, {"username": "ben", "password": ""})
    path = f"/api/v1/users/{ben['id']}/reset"
    old = owner("POST", path, 201).json["code"]
    code = owner("POST", path, 201).json["code"]
    wish = {"code": code, "password": PASSWORD}
    Checked(server)("POST", "/api/v1/reset", 404, {**wish, "code": old})
    Checked(server)("POST", "/api/v1/reset", 404, {**wish, "code": "nonsense"})
    first = Checked(server)
    assert first("POST", "/api/v1/reset", 200, wish).json["username"] == "ben"
    first("GET", "/api/v1/me", 200)
    Checked(server)("POST", "/api/v1/reset", 404, wish)
    again = {"code": owner("POST", path, 201).json["code"], "password": "another long one"}
    second = Checked(server)
    second("POST", "/api/v1/reset", 200, again)
    first("GET", "/api/v1/me", 401)
    owner("POST", "/api/v1/users/aaaaaaaaaaaaaaaaaaaa/reset", 404)
    disabled = {"code": owner("POST", path, 201).json["code"], "password": PASSWORD}
    owner("PATCH", f"/api/v1/users/{ben['id']}", 200, {"disabled": True})
    Checked(server)("POST", "/api/v1/reset", 403, disabled)


# --- the log of who did what ---

def test_what_was_done_stands_in_the_log(house):
    server, owner = house
    ben = add(owner, "ben")
    sign_in(server, "ben")
    Checked(server)("POST", "/api/v1/session", 401, {"username": "ben", "password": "a guess"})
    Checked(server)("POST", "/api/v1/session", 401, {"username": "my password!", "password": "x"})
    owner("DELETE", f"/api/v1/users/{ben['id']}", 204)
    entries = owner("GET", "/api/v1/audit", 200).json["items"]
    assert [(e["action"], e["username"], e["object"]) for e in entries] == [
        ("user removed", "anna", "ben"), ("sign-in refused", "", ""),
        ("sign-in refused", "", "ben"), ("sign-in", "ben", ""), ("user added", "anna", "ben"),
        ("setup", "anna", "anna")]
    assert all(e["address"] == "127.0.0.1" for e in entries)
    first = owner("GET", "/api/v1/audit?limit=4", 200).json
    rest = owner("GET", f"/api/v1/audit?limit=4&cursor={first['next']}", 200).json
    assert first["items"] + rest["items"] == entries and rest["next"] is None
    for query in ("limit=0", "limit=501", "cursor=x", "cursor=0"):
        owner("GET", f"/api/v1/audit?{query}", 400)
