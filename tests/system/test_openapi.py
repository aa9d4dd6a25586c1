# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says is what conf/openapi.yaml says: every route, every status, every body."""

import json
import pathlib
import re
import shutil
import socket
import tempfile
import threading
import time

import jsonschema
import pytest
import yaml

import films
from server import ROOT, SLOW, Server

DOCUMENT = yaml.safe_load((ROOT / "conf" / "openapi.yaml").read_text())
PASSWORD = "a long password"


def routes_of_document():
    return {(method.upper(), path) for path, item in DOCUMENT["paths"].items()
            for method in item if method in ("get", "post", "put", "patch", "delete")}


def routes_of_server():
    text = (ROOT / "src" / "api" / "api.c").read_text()
    return set(re.findall(r'\.method = "([A-Z]+)",\s*\.path = "([^"]+)"', text))


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def closed(schema):
    """A validator that finds #/components in the document; dates are checked too."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema",
             "components": DOCUMENT["components"], **schema}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def check_schema(name, value):
    closed({"$ref": f"#/components/schemas/{name}"}).validate(value)


def operation_of(method, path):
    """The operation that a real path belongs to; literal paths go before patterns."""
    def pattern(template):
        return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part)
                                  for part in re.split(r"(\{[^}]+\})", template)) + "$")
    found = sorted((template.count("{"), template) for template in DOCUMENT["paths"]
                   if pattern(template).match(path))
    assert found, f"{path} is not in the document"
    return DOCUMENT["paths"][found[0][1]][method.lower()]


class Checked:
    """Asks the server and holds each answer against the document."""

    def __init__(self, server):
        self.server, self.cookie, self.seen = server, None, set()

    def __call__(self, method, path, expected, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookie:
            headers["Cookie"] = self.cookie
        got = self.server.ask(method, path, body, headers)
        assert got.status == expected, (method, path, got.status, got.body[:500])
        self.hold(method, path, got)
        if got.header("set-cookie"):
            self.cookie = got.header("set-cookie").split(";")[0]
        return got

    def hold(self, method, path, got):
        bare = path.split("?")[0]
        operation = operation_of(method, bare)
        self.seen.add((method, next(t for t, item in DOCUMENT["paths"].items()
                                    if item.get(method.lower()) is operation)))
        answers = operation["responses"]
        answer = resolve(answers.get(str(got.status)) or answers["default"])
        content = answer.get("content")
        if content is None:
            assert got.body == b"", (method, path, got.body[:200])
            return
        kind = (got.header("content-type") or "").split(";")[0]
        schema = content.get(kind) or content.get("*/*")
        assert schema, f"{method} {path}: {kind} is not in the document"
        if kind.endswith("json"):
            closed(schema["schema"]).validate(got.json)


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-openapi-"))
    shutil.copy(films.make("plain.mkv"), made / "Plain (1979).mkv")
    (made / "Plain (1979).en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nx\n")
    (made / "Garbage.2001.mkv").write_bytes(b"this is no film" * 100)
    (made / "x\n\"b'.mp4").write_bytes(b"")
    yield made
    shutil.rmtree(made)


def test_the_table_of_routes_is_the_document():
    assert routes_of_server() == routes_of_document()


def test_every_schema_is_a_schema():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object" and name not in (
                "Media", "Track", "Rendition", "Chapter", "PlaybackWish", "Capabilities",
                "DownloadWish", "DownloadChange", "DownloadLimitsChange", "UserChange", "InviteWish", "Preferences"):
            assert schema["additionalProperties"] is False and schema["required"], name


def check_links(ask):
    """Those that can be played: test_links.py."""
    assert ask("GET", "/api/v1/links", 200).json["items"] == []
    assert ask("POST", "/api/v1/links", 403, {"url": "http://127.0.0.1/"}).json["field"] == "url"
    assert ask("POST", "/api/v1/links", 400, {"link": "http://a/"}).json["field"] == "url"
    ask("DELETE", "/api/v1/links/nosuch", 404)


def check_downloads(ask):
    magnet = {"magnet": "magnet:?xt=urn:btih:" + "5" * 40 + "&dn=A%20Film"}
    made = ask("POST", "/api/v1/downloads", 201, magnet).json
    assert made["name"] == "A Film" and made["state"] == "metadata" and made["files"] == []
    assert ask("POST", "/api/v1/downloads", 200, magnet).json["id"] == made["id"]
    assert [d["id"] for d in ask("GET", "/api/v1/downloads", 200).json["items"]] == [made["id"]]
    path = f"/api/v1/downloads/{made['id']}"
    assert ask("PATCH", path, 200, {"state": "paused"}).json["state"] == "paused"
    assert ask("PATCH", path, 400, {"state": "gone"}).json["field"] == "state"
    ask("PATCH", path, 409, {"files": [{"file": made["id"], "wanted": False}]})
    heard = events(ask.server, "downloads", enough=lambda heard: heard[-1][0] == "live")
    assert [name for name, _, _ in heard][-2:] == ["downloads", "live"]
    ask("GET", path, 200)
    ask("DELETE", path, 204)
    ask("DELETE", path, 404)
    ask("GET", path, 404)
    ask("PATCH", path, 404, {"state": "paused"})
    ask("POST", "/api/v1/downloads", 422, {"magnet": "magnet:?dn=nothing"})
    ask("POST", "/api/v1/downloads", 422, b"d4:infoi1ee",
        {"Content-Type": "application/x-bittorrent"})
    ask("POST", "/api/v1/downloads", 415, b"d4:infoi1ee", {"Content-Type": "text/plain"})


def check_people(ask):
    """Of a house without accounts; with them: test_accounts.py."""
    for path in ("me/sessions", "me/keys", "me/passkeys", "users", "invites", "audit"):
        assert ask("GET", f"/api/v1/{path}", 200).json["items"] == []
    for path in ("me/sessions", "me/keys", "me/passkeys", "users", "invites"):
        ask("DELETE", f"/api/v1/{path}/nosuch", 404)
    person = {"username": "ben", "password": PASSWORD}
    ask("POST", "/api/v1/users", 403, person)
    ask("PATCH", "/api/v1/users/nosuch", 403, {"role": "admin"})
    ask("POST", "/api/v1/users/nosuch/reset", 404)
    ask("POST", "/api/v1/invites", 403, {})
    ask("POST", "/api/v1/register", 403, person)
    ask("POST", "/api/v1/reset", 403, {"code": "x", "password": PASSWORD})
    ask("PUT", "/api/v1/me/password", 403, {"current": "x", "password": PASSWORD})
    ask("POST", "/api/v1/me/keys", 403, {"name": "x", "scopes": ["read"]})
    ask("PUT", "/api/v1/me/email", 403, {"email": "a@example.com"})
    ask("DELETE", "/api/v1/me/email", 204)
    ask("POST", "/api/v1/verify", 403, {"code": "x"})
    for path in ("passkeys", "me/passkeys"):
        ask("POST", f"/api/v1/{path}/options", 403)
        ask("POST", f"/api/v1/{path}", 403, {"credential": {}, "name": "x"})
    assert ask("GET", "/api/v1/auth/identities", 200).json["items"] == []
    ask("DELETE", "/api/v1/auth/identities/nosuch", 404)
    for step in ("start", "callback"):
        ask("GET", f"/auth/nosuch/{step}", 404)
    ask("POST", "/api/v1/token", 403, person)
    ask("POST", "/api/v1/token", 403, {"refresh_token": "x"})


def check_backups(ask):
    """More of it: test_backup.py."""
    made = ask("POST", "/api/v1/backups", 201).json
    assert ask("GET", "/api/v1/backups", 200).json["items"] == [made]
    assert len(ask("GET", f"/api/v1/backups/{made['id']}", 200).body) == made["size"]
    for wrong in ("nosuch", "..matinee", made["id"].replace("manual", "nightly")):
        ask("GET", f"/api/v1/backups/{wrong}", 404)
    ask("POST", "/api/v1/restore", 404, {"backup": "nosuch"})
    ask("POST", "/api/v1/restore", 400, {})


def check_personal(ask, item):
    """More of it: test_personal.py."""
    ask("PATCH", "/api/v1/me", 200, {"preferences": {"language": "en"}})
    ask("PATCH", f"/api/v1/titles/{item}", 200, {"age": 12})
    ask("PUT", f"/api/v1/progress/{item}", 204, {"position": 5})
    ask("POST", f"/api/v1/progress/{item}", 204, {"position": 6})
    ask("GET", f"/api/v1/progress/{item}", 200)
    assert ask("GET", f"/api/v1/titles/{item}", 200).json["progress"]["position"] == 6
    assert ask("GET", "/api/v1/continue", 200).json["items"]
    ask("DELETE", f"/api/v1/continue/{item}", 204)
    ask("PUT", f"/api/v1/continue/{item}", 204)
    ask("PUT", f"/api/v1/watched/{item}", 204)
    ask("DELETE", f"/api/v1/watched/{item}", 204)
    ask("DELETE", f"/api/v1/progress/{item}", 404)
    [entry] = ask("GET", "/api/v1/history", 200).json["items"]
    ask("DELETE", f"/api/v1/history/{entry['id']}", 204)
    ask("PUT", f"/api/v1/watchlist/{item}", 204)
    ask("GET", "/api/v1/watchlist", 200)
    ask("DELETE", f"/api/v1/watchlist/{item}", 204)
    said = ask("POST", f"/api/v1/items/{item}/comments", 201, {"text": "Well."}).json
    ask("GET", f"/api/v1/items/{item}/comments", 200)
    ask("DELETE", f"/api/v1/comments/{said['id']}", 204)
    ask("GET", "/api/v1/me/export", 200)
    ask("GET", f"/api/v1/titles/{item}/episodes", 404)  # of shows: test_shows.py
    assert ask("GET", f"/api/v1/items/{item}/next", 200).json["item"] is None


#: Nothing of a test leaves this machine.
ALONE = {"torrent.listen": "127.0.0.1:0", "torrent.dht": "false"}


def test_every_answer_is_as_described(folder):
    with Server(folder, settings={**ALONE, "hls.storyboard_bytes": 1 << 26}) as server:
        ask = Checked(server)
        server.library()
        ask("GET", "/healthz", 200)
        ask("GET", "/metrics", 200)
        ask("GET", "/api/v1/status", 200)
        ask("GET", "/api/v1/me", 200)
        ask("GET", "/api/v1/library/scan", 200)
        ask("POST", "/api/v1/library/scan", 202)
        ask("DELETE", "/api/v1/library/scan", 204)
        titles = ask("GET", "/api/v1/library", 200).json
        assert titles["total"] == 3 and [x["letter"] for x in titles["letters"]] == ["G", "P", "X"]
        by_title = {t["title"]: t for t in titles["items"]}
        assert by_title["Plain"]["year"] == 1979 and by_title["Plain"]["kind"] == "film"
        assert by_title["Garbage"]["state"] == "unreadable" and by_title["Garbage"]["reason"]
        check_library(ask)
        for title in titles["items"]:
            ask("GET", f"/api/v1/titles/{title['id']}", 200)
            ask("GET", f"/api/v1/files/{title['files'][0]['id']}", 200)
        film = by_title["Plain"]["files"][0]["id"]
        assert ask("GET", f"/api/v1/files/{film}", 200).json["media"]["tracks"]
        here = ask("GET", f"/api/v1/files/{film}/availability", 200).json
        assert here["complete"] and here["ranges"] == [[0, here["size"]]]
        ask("GET", "/api/v1/files/nosuch/availability", 404)
        ask("GET", f"/api/v1/files/{film}/raw", 200)
        ask("GET", f"/api/v1/files/{film}/raw", 206, headers={"Range": "bytes=0-99"})
        ask("GET", f"/api/v1/files/{film}/raw", 416, headers={"Range": "bytes=999999999-"})
        subtitles = f"/api/v1/files/{film}/subtitles"
        [beside] = ask("GET", subtitles, 200).json["items"]
        ask("GET", f"{subtitles}/{beside['id']}.vtt", 200)
        ask("GET", f"{subtitles}/{beside['id']}.orig", 200)
        assert ask("GET", f"{subtitles}/{beside['id']}.vtt?shift=x", 400).json["field"] == "shift"
        ask("GET", f"{subtitles}/{beside['id']}.ass", 404)
        ask("GET", "/api/v1/files/nosuch/subtitles", 404)
        ask("GET", f"/api/v1/files/{film}/fonts/1", 404)
        ask("GET", f"/hls/{film}/master.m3u8?client=mse", 200)
        ask("GET", f"/hls/{film}/storyboard.vtt", 200)
        ask("GET", f"/hls/{film}/video-copy/index.m3u8?client=mse", 200)
        ask("GET", f"/hls/{film}/video-copy/init.mp4?client=mse", 200)
        ask("GET", f"/hls/{film}/video-copy/99999.m4s?client=mse", 404)
        check_playback(ask, film, by_title)
        ask("POST", "/api/v1/session", 403, {"username": "a", "password": "b"})
        ask("POST", "/api/v1/setup", 409, {"username": "a", "password": PASSWORD})
        ask("DELETE", "/api/v1/session", 204)
        events(server, "library", enough=lambda heard: heard[-1][0] == "live")
        check_people(ask)
        check_personal(ask, by_title["Plain"]["id"])
        check_backups(ask)
        check_downloads(ask)
        check_links(ask)
        ask("GET", "/api/v1/events", 400)
        ask("GET", "/stream?url=http://127.0.0.1/", 403)
        ask("GET", "/api/validate?url=http://127.0.0.1/", 200)
        assert ask.seen | {("GET", "/api/v1/events")} == routes_of_document()


def check_library(ask):
    first = ask("GET", "/api/v1/library?limit=2", 200).json
    rest = ask("GET", f"/api/v1/library?limit=2&cursor={first['next']}", 200).json
    assert len(first["items"]) == 2 and len(rest["items"]) == 1 and rest["next"] is None
    latest = ask("GET", "/api/v1/library?limit=1&sort=added", 200).json
    assert "letters" not in latest
    ask("GET", f"/api/v1/library?sort=added&cursor={latest['next']}", 200)
    ask("GET", f"/api/v1/library?cursor={latest['next']}", 400)
    for query, count in (("q=pLa%C3%AFn", 1), ("q=%25", 3), ("q=zzz", 0), ("kind=film", 2),
                         ("kind=other", 1), ("kind=show", 0), ("offset=2", 1), ("offset=9", 0)):
        assert len(ask("GET", f"/api/v1/library?{query}", 200).json["items"]) == count, query
    for query in ("limit=0", "limit=501", "limit=x", "sort=year", "kind=x", "cursor=x", "cursor=",
                  "offset=-1", "q=" + "x" * 201, "cursor=a.00", "cursor=a.ZZ", "cursor=" + "a" * 3000):
        assert ask("GET", f"/api/v1/library?{query}", 400).json["field"] == query.split("=")[0]


def check_playback(ask, film, by_title):
    capabilities = {"codecs": ["avc1.640028", "hvc1.2.4.L153.B0", "mp4a.40.2", "opus", "x/../&"],
                    "hdr": True, "channels": 6, "screen": {"width": 1920, "height": 1080}}
    made = ask("POST", "/api/v1/playback", 201,
               {"file": film, "position": 1.5, "capabilities": capabilities}).json
    assert made["position"] == 1.5 and made["presentation_offset"] == 10
    assert made["master"].endswith(
        "&caps=h264.40,hevc10.153,aac,opus,surround,hdr,screen.1920x1080")
    assert ask("GET", made["master"], 200).text.startswith("#EXTM3U")
    ask("GET", made["native"], 200)
    cast = made["cast"].split("?")[0].removesuffix("master.m3u8")
    ask("GET", made["cast"], 200)
    ask("GET", cast + "storyboard.vtt", 200)
    ask("GET", cast + "video-copy/index.m3u8?client=native", 200)
    item = ask("POST", "/api/v1/playback", 201, {"item": by_title["Plain"]["id"]}).json
    assert item["file"] == film and item["item"] == by_title["Plain"]["id"]
    assert len(ask("GET", "/api/v1/playback", 200).json["items"]) == 2
    path = f"/api/v1/playback/{made['id']}"
    ask("PUT", path, 204, {"position": 2, "paused": True, "rate": 1.25})
    again = ask("GET", path, 200).json
    assert (again["position"], again["paused"], again["rate"]) == (2, True, 1.25)
    garbage = by_title["Garbage"]["files"][0]["id"]
    assert ask("POST", "/api/v1/playback", 422, {"file": garbage}).json["detail"]
    for body, field in (({}, "file"), ({"file": film, "item": "x"}, "file"), ({"file": 5}, "file"),
                        ({"file": film, "position": -1}, "position"),
                        ({"file": film, "position": "1"}, "position"),
                        ({"file": film, "capabilities": []}, "capabilities"),
                        ({"file": film, "capabilities": {"codecs": [1]}}, "capabilities"),
                        ({"file": film, "capabilities": {"hdr": 1}}, "capabilities")):
        assert ask("POST", "/api/v1/playback", 400, body).json["field"] == field, body
    for body in ({}, {"position": None}, {"position": 1, "paused": 1}, {"position": 1e300}):
        ask("PUT", path, 400, body)
    ask("DELETE", path, 204)
    for method, body in (("GET", None), ("PUT", {"position": 1}), ("DELETE", None)):
        ask(method, path, 404, body)
    for path in ("/api/v1/playback/nosuch", "/api/v1/titles/nosuch", "/api/v1/files/nosuch",
                 "/api/v1/files/nosuch/raw", "/hls/nosuch/master.m3u8",
                 "/api/v1/titles/" + "x" * 500, "/api/v1/titles/%27%20OR%201"):
        ask("GET", path, 404)
    ask("POST", "/api/v1/playback", 404, {"file": "nosuch"})
    ask("POST", "/api/v1/playback", 404, {"item": "nosuch"})


# --- accounts ---

def test_accounts_from_the_first_day(folder):
    """Decision 35: nothing before setup; then sessions, and wrong passwords that are slowed down."""
    with Server(folder, auth="accounts") as server:
        ask = Checked(server)
        status = ask("GET", "/api/v1/status", 200).json
        assert status["setup_required"] and status["sign_in"] == ["password"]
        for path in ("/api/v1/me", "/api/v1/library", "/api/v1/playback", "/api/v1/files/x/raw",
                     "/hls/x/master.m3u8", "/api/v1/events?topics=library"):
            ask("GET", path, 401)
        code = pathlib.Path(server.data, "setup-code").read_text().strip()
        assert re.fullmatch("[A-Z2-9]{8}", code)
        assert code in "".join(server.log)
        wish = {"code": "WRONGONE", "username": "Anna", "password": PASSWORD}
        assert ask("POST", "/api/v1/setup", 403, wish).json["field"] == "code"
        short = ask("POST", "/api/v1/setup", 422, {**wish, "code": code, "password": "short"})
        assert short.json["field"] == "password"
        ask("POST", "/api/v1/setup", 400, {"username": 5, "password": PASSWORD})
        made = ask("POST", "/api/v1/setup", 201, {**wish, "code": code})
        cookie = made.header("set-cookie")
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
        assert made.json["role"] == "admin"
        assert ask("GET", "/api/v1/me", 200).json == {**made.json, "has_password": True, "preferences": {}}
        assert not pathlib.Path(server.data, "setup-code").exists()
        ask("POST", "/api/v1/setup", 409, {**wish, "code": code})
        assert not ask("GET", "/api/v1/status", 200).json["setup_required"]
        first = ask.cookie
        ask("DELETE", "/api/v1/session", 204)
        ask.cookie = first
        ask("GET", "/api/v1/me", 401)
        ask.cookie = None
        ask("POST", "/api/v1/session", 200, {"username": "ANNA", "password": PASSWORD})
        ask("GET", "/api/v1/library", 200)
        for _ in range(10):
            ask("POST", "/api/v1/session", 401, {"username": "anna", "password": "a guess"})
        slow = ask("POST", "/api/v1/session", 429, {"username": "anna", "password": PASSWORD})
        assert 1 <= int(slow.header("retry-after")) <= 31
        kept = ask.cookie
        data = server.data
        server.owns_data = False
    with Server(folder, auth="accounts", data=data) as server:
        ask = Checked(server)
        ask.cookie = kept
        assert ask("GET", "/api/v1/me", 200).json["username"] == "Anna"
    shutil.rmtree(data)


def test_a_kill_keeps_accounts_and_ids(folder):
    server = Server(folder, auth="accounts").start()
    data = server.data
    ask = Checked(server)
    ask("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
    cookie = ask.cookie
    deadline = time.monotonic() + 60 * SLOW
    while "ready" not in [t["state"] for t in ask("GET", "/api/v1/library", 200).json["items"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = {t["title"]: t["id"] for t in ask("GET", "/api/v1/library", 200).json["items"]}
    server.stop(kill=True)
    with Server(folder, auth="accounts", data=data) as server:
        ask = Checked(server)
        ask.cookie = cookie
        ask("GET", "/api/v1/me", 200)
        after = {t["title"]: t["id"] for t in ask("GET", "/api/v1/library", 200).json["items"]}
        assert before.items() <= after.items()
    shutil.rmtree(data)


# --- events ---

def events(server, topics, enough, headers="", timeout=30):
    """[(event, id, data)] until there are enough; each is held against the document."""
    heard = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout * SLOW) as s:
        s.sendall(f"GET /api/v1/events?topics={topics} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
                  .encode())
        lines = s.makefile("r", encoding="utf-8", newline="\n")
        assert lines.readline().split()[1] == "200"
        fields = {}
        for line in lines:
            line = line.rstrip("\r\n")
            name, colon, value = line.partition(": ")
            if colon and name in ("event", "id", "data"):
                fields[name] = value
            elif "data" in fields:
                data = json.loads(fields["data"])
                if fields["event"] not in ("live", "reset"):
                    check_schema("Event", data)
                heard.append((fields["event"], fields["id"], data))
                fields = {}
                if enough(heard):
                    return heard
    raise AssertionError(heard)


def test_news_come_as_they_happen(folder):
    with Server(folder) as server:
        server.library()
        started = threading.Event()
        added = folder / "Late (1999).mkv"

        def come_and_go():
            started.wait(30 * SLOW)
            shutil.copy(films.make("plain.mkv"), added)

        thread = threading.Thread(target=come_and_go)
        thread.start()

        def enough(heard):
            if heard[-1][0] == "live":
                started.set()
            return heard[-1][2].get("title", {}).get("state") == "ready"

        try:
            heard = events(server, "library", enough)
            assert [event for event, _, _ in heard[:2]] == ["library", "live"]
            assert heard[0][2]["type"] == "scan" and heard[-1][2]["title"]["title"] == "Late"
            boot, number = heard[1][1].split("-")
            # who was away hears what was missed, and not the present states
            missed = events(server, "library", lambda got: got[-1][0] == "live" or len(got) > 50,
                            headers=f"Last-Event-ID: {boot}-{number}\r\n")
            assert "title" in [data.get("type") for _, _, data in missed] or missed[0][0] == "live"
            assert "reset" not in [event for event, _, _ in missed]
            other = events(server, "library", lambda got: got[-1][0] == "live",
                           headers="Last-Event-ID: 00000000-5\r\n")
            assert [event for event, _, _ in other] == ["reset", "library", "live"]
        finally:
            thread.join()
            added.unlink(missing_ok=True)


def test_a_playback_is_told_at_most_twice_a_second(folder):
    with Server(folder) as server:
        film = server.files()["Plain (1979).mkv"][0]
        id_ = server.ask("POST", "/api/v1/playback", {"file": film}).json["id"]
        live, times = threading.Event(), []

        def report():
            live.wait(30 * SLOW)
            for position in range(1, 61):
                server.ask("PUT", f"/api/v1/playback/{id_}", {"position": position})
                time.sleep(0.02)

        thread = threading.Thread(target=report)
        thread.start()

        def enough(heard):
            if heard[-1][0] == "live":
                live.set()
            times.append(time.monotonic())
            return heard[-1][2].get("playback", {}).get("position") == 60

        heard = events(server, f"playback:{id_}", enough)
        thread.join()
        told = len(heard) - 2  # without the present state and `live`
        assert told <= 2 * (times[-1] - times[1]) + 2, (told, times[-1] - times[1])
        server.ask("DELETE", f"/api/v1/playback/{id_}")
        assert server.get(f"/api/v1/events?topics=playback:{id_}").status == 404
