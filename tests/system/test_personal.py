# SPDX-License-Identifier: GPL-3.0-or-later
"""What is each person's own: where he is, what he has watched, wants to, and says of it; and what a child
may know of."""

import datetime
import pathlib
import shutil
import sqlite3
import tempfile
import threading
import time

import pytest

import films
from server import FULL, SLOW, Server
from test_accounts import add, make_key, sign_in
from test_openapi import PASSWORD, Checked, events

#: A film's length: plain.mkv has 20 s, plain.mp4 14.
LONG, SHORT = "Long (1979)", "Short (1985)"


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-personal-"))
    shutil.copy(films.make("plain.mkv"), made / f"{LONG}.mkv")
    shutil.copy(films.make("plain.mp4"), made / f"{SHORT}.mp4")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def house(folder):
    with Server(folder, auth="accounts",
                settings={"torrent.listen": "127.0.0.1:0", "torrent.dht": "false"}) as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        yield server, owner


def titles(ask, count=2):
    """{title: (item, file)}, once all of them can be played."""
    deadline = time.monotonic() + 60 * SLOW
    while True:
        items = ask("GET", "/api/v1/library", 200).json["items"]
        if len(items) == count and all(t["state"] == "ready" for t in items):
            return {t["title"]: (t["id"], t["files"][0]["id"]) for t in items}
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begun(ask):
    return [(b["item"]["title"], b["position"]) for b in ask("GET", "/api/v1/continue", 200).json["items"]]


# --- where one is ---

def test_one_goes_on_where_one_was(house):
    server, owner = house
    film, file = titles(owner)["Long"]
    add(owner, "ben")
    ben = sign_in(server, "ben")
    owner("GET", f"/api/v1/progress/{film}", 404)
    made = owner("POST", "/api/v1/playback", 201, {"item": film}).json
    assert made["position"] == 0
    path = f"/api/v1/playback/{made['id']}"
    owner("PUT", path, 204, {"position": 0})
    owner("GET", f"/api/v1/progress/{film}", 404)  # nothing was watched yet
    owner("PUT", path, 204, {"position": 7.5})
    for what in (film, file):
        known = owner("GET", f"/api/v1/progress/{what}", 200).json
        assert (known["item"], known["file"], known["position"], known["other_cut"]) == (
            film, file, 7.5, False)
        assert known["duration"] == pytest.approx(20, abs=0.2)
    assert begun(owner) == [("Long", 7.5)]
    [title] = [t for t in owner("GET", "/api/v1/library", 200).json["items"] if t["id"] == film]
    assert title["progress"]["position"] == 7.5 and not title["watched"]
    # his alone
    ben("GET", f"/api/v1/progress/{film}", 404)
    assert begun(ben) == []
    assert "progress" not in ben("GET", f"/api/v1/titles/{film}", 200).json
    owner("DELETE", path, 204)
    # the next time, on whatever device
    phone = sign_in(server, "anna")
    assert phone("POST", "/api/v1/playback", 201, {"item": film}).json["position"] == 7.5
    assert phone("POST", "/api/v1/playback", 201, {"file": file, "position": 0}).json["position"] == 0
    owner("DELETE", f"/api/v1/progress/{film}", 204)
    owner("DELETE", f"/api/v1/progress/{film}", 404)
    assert phone("POST", "/api/v1/playback", 201, {"item": film}).json["position"] == 0


def test_of_two_devices_the_later_counts(house):
    _, owner = house
    film, file = titles(owner)["Long"]
    path = f"/api/v1/progress/{film}"
    now = datetime.datetime.now(datetime.timezone.utc)

    def when(seconds):
        return (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    owner("PUT", path, 204, {"position": 5, "duration": 20, "file": file, "at": when(-10)})
    # a phone that was off the network tells what it knew an hour ago
    owner("PUT", path, 204, {"position": 9, "at": when(-3600)})
    assert owner("GET", path, 200).json["position"] == 5
    owner("POST", path, 204, {"position": 6, "at": when(3600)})  # a clock that is wrong: now
    assert owner("GET", path, 200).json["position"] == 6
    owner("PUT", path, 204, {"position": 4})
    assert owner("GET", path, 200).json["position"] == 4
    # who stands still says nothing: the other device goes on
    still = owner("POST", "/api/v1/playback", 201, {"item": film}).json
    owner("PUT", path, 204, {"position": 8})
    owner("PUT", f"/api/v1/playback/{still['id']}", 204, {"position": 4, "paused": True})
    assert owner("GET", path, 200).json["position"] == 8
    for wish, field in (({}, "position"), ({"position": -1}, "position"), ({"position": "1"}, "position"),
                        ({"position": 1, "at": "yesterday"}, "at"), ({"position": 1, "file": 5}, "file"),
                        ({"position": 1, "file": "nosuch"}, "file"),
                        ({"position": 1, "duration": 1e300}, "duration")):
        assert owner("PUT", path, 400, wish).json["field"] == field, wish
    other = titles(owner)["Short"][1]
    assert owner("PUT", path, 400, {"position": 1, "file": other}).json["field"] == "file"
    owner("PUT", "/api/v1/progress/nosuch", 404, {"position": 1})


def test_another_cut_is_said(folder):
    """Two files of one film whose lengths differ: where one was in the one is another place in the other."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-cuts-"))
    shutil.copy(films.make("plain.mkv"), made / "Cut (1979).mkv")
    shutil.copy(films.make("plain.mp4"), made / "Cut (1979) directors.mp4")
    try:
        with Server(made) as server:
            ask = Checked(server)
            server.library()
            [title] = ask("GET", "/api/v1/library", 200).json["items"]
            by_length = sorted(title["files"], key=lambda f: f["duration"])
            short, long = by_length[0]["id"], by_length[1]["id"]
            ask("PUT", f"/api/v1/progress/{long}", 204, {"position": 8})
            assert not ask("GET", f"/api/v1/progress/{long}", 200).json["other_cut"]
            assert ask("GET", f"/api/v1/progress/{short}", 200).json["other_cut"]
            assert ask("POST", "/api/v1/playback", 201, {"file": long}).json["position"] == 8
            assert ask("POST", "/api/v1/playback", 201, {"file": short}).json["position"] == 0
    finally:
        shutil.rmtree(made)


def test_what_was_seen_to_its_end_is_watched(house):
    server, owner = house
    film, _ = titles(owner)["Long"]
    made = owner("POST", "/api/v1/playback", 201, {"item": film}).json
    for position in (5, 12, 18.6):
        owner("PUT", f"/api/v1/playback/{made['id']}", 204, {"position": position})
    assert owner("GET", f"/api/v1/titles/{film}", 200).json["watched"]
    assert begun(owner) == []
    owner("GET", f"/api/v1/progress/{film}", 404)
    [entry] = owner("GET", "/api/v1/history", 200).json["items"]
    assert entry["completed"] and entry["position"] == 18.6 and entry["item"]["title"] == "Long"
    # again from the beginning: it is begun, and stays watched
    assert owner("POST", "/api/v1/playback", 201, {"item": film}).json["position"] == 0
    owner("PUT", f"/api/v1/playback/{made['id']}", 204, {"position": 3})
    assert begun(owner) == [("Long", 3)]
    assert owner("GET", f"/api/v1/titles/{film}", 200).json["watched"]
    assert [e["completed"] for e in owner("GET", "/api/v1/history", 200).json["items"]] == [False, True]
    # by hand
    short, _ = titles(owner)["Short"]
    owner("PUT", f"/api/v1/progress/{short}", 204, {"position": 5})
    owner("PUT", f"/api/v1/watched/{short}", 204)
    assert owner("GET", f"/api/v1/titles/{short}", 200).json["watched"]
    assert begun(owner) == [("Long", 3)]
    owner("DELETE", f"/api/v1/watched/{short}", 204)
    owner("DELETE", f"/api/v1/watched/{short}", 404)
    assert not owner("GET", f"/api/v1/titles/{short}", 200).json["watched"]
    owner("PUT", "/api/v1/watched/nosuch", 404)


def test_lists_are_ones_own_to_change(house):
    server, owner = house
    known = titles(owner)
    for name, position in (("Long", 4), ("Short", 5)):
        time.sleep(0.002)  # stamps are milliseconds, and nobody watches two films in one
        owner("PUT", f"/api/v1/progress/{known[name][0]}", 204, {"position": position})
    assert begun(owner) == [("Short", 5), ("Long", 4)]
    owner("DELETE", f"/api/v1/continue/{known['Short'][0]}", 204)
    assert begun(owner) == [("Long", 4)]
    assert owner("GET", f"/api/v1/progress/{known['Short'][0]}", 200).json["position"] == 5
    owner("PUT", f"/api/v1/continue/{known['Short'][0]}", 204)
    assert begun(owner) == [("Short", 5), ("Long", 4)]
    history = owner("GET", "/api/v1/history", 200).json["items"]
    assert [e["item"]["title"] for e in history] == ["Short", "Long"]
    first = owner("GET", "/api/v1/history?limit=1", 200).json
    rest = owner("GET", f"/api/v1/history?limit=1&cursor={first['next']}", 200).json
    assert first["items"] + rest["items"] == history and rest["next"] is None
    add(owner, "ben")
    ben = sign_in(server, "ben")
    ben("DELETE", f"/api/v1/history/{history[0]['id']}", 404)
    owner("DELETE", f"/api/v1/history/{history[0]['id']}", 204)
    owner("DELETE", f"/api/v1/history/{history[0]['id']}", 404)
    owner("DELETE", "/api/v1/history/x", 404)
    assert len(owner("GET", "/api/v1/history", 200).json["items"]) == 1
    # watch later, by title or file
    owner("PUT", f"/api/v1/watchlist/{known['Long'][1]}", 204)
    owner("PUT", f"/api/v1/watchlist/{known['Short'][0]}", 204)
    owner("PUT", f"/api/v1/watchlist/{known['Long'][0]}", 204)
    wanted = owner("GET", "/api/v1/watchlist", 200).json["items"]
    assert [w["item"]["title"] for w in wanted] == ["Short", "Long"]
    assert ben("GET", "/api/v1/watchlist", 200).json["items"] == []
    owner("DELETE", f"/api/v1/watchlist/{known['Long'][0]}", 204)
    owner("DELETE", f"/api/v1/watchlist/{known['Long'][0]}", 404)
    owner("PUT", "/api/v1/watchlist/nosuch", 404)


def test_comments(house):
    server, owner = house
    film, _ = titles(owner)["Long"]
    add(owner, "ben")
    ben = sign_in(server, "ben")
    path = f"/api/v1/items/{film}/comments"
    text = "He was <b>dead</b> all along & nobody saw it."
    said = ben("POST", path, 201, {"text": text, "spoiler": True, "position": 12.5}).json
    assert said["by"] == "ben" and said["own"] and said["spoiler"] and said["position"] == 12.5
    assert said["text"] == text
    owner("POST", path, 201, {"text": "No."})
    seen = owner("GET", path, 200).json["items"]
    assert [(c["by"], c["own"], c["position"]) for c in seen] == [("anna", True, None), ("ben", False, 12.5)]
    first = owner("GET", f"{path}?limit=1", 200).json
    assert owner("GET", f"{path}?limit=1&cursor={first['next']}", 200).json["items"] == seen[1:]
    for wish, field in (({}, "text"), ({"text": "  \n"}, "text"), ({"text": "x" * 4001}, "text"),
                        ({"text": "x", "spoiler": 1}, "spoiler"), ({"text": "x", "position": -1}, "position")):
        assert ben("POST", path, 400, wish).json["field"] == field
    ben("DELETE", f"/api/v1/comments/{seen[0]['id']}", 403)
    owner("DELETE", f"/api/v1/comments/{seen[1]['id']}", 204)  # an administrator's
    ben("DELETE", f"/api/v1/comments/{seen[1]['id']}", 404)
    owner("DELETE", f"/api/v1/comments/{seen[0]['id']}", 204)
    assert owner("GET", path, 200).json["items"] == []
    assert "comment removed" in [e["action"] for e in owner("GET", "/api/v1/audit", 200).json["items"]]
    ben("POST", "/api/v1/items/nosuch/comments", 404, {"text": "x"})


def test_how_one_likes_things(house):
    server, owner = house
    film, _ = titles(owner)["Long"]
    assert owner("GET", "/api/v1/me", 200).json["preferences"] == {}
    wish = {"language": "de", "audio_language": "pt-BR", "subtitles": "forced", "max_height": 240}
    assert owner("PATCH", "/api/v1/me", 200, {"preferences": wish}).json["preferences"] == wish
    changed = owner("PATCH", "/api/v1/me", 200, {"preferences": {"language": None, "autoplay": True}})
    del wish["language"]
    assert changed.json["preferences"] == {**wish, "autoplay": True}
    for wrong in ({"language": "not a language"}, {"language": 5}, {"subtitles": "maybe"}, {"autoplay": "x"},
                  {"max_height": 100}, {"max_height": 1.5}):
        assert owner("PATCH", "/api/v1/me", 400, {"preferences": wrong}).json["field"] in wrong
    assert owner("PATCH", "/api/v1/me", 400, {"preferences": {"x": 1}}).json["field"] == "preferences"
    assert owner("PATCH", "/api/v1/me", 400, {}).json["field"] == "preferences"
    # no larger pictures than he wants, where there are others: the original has 360 lines
    for most, has_copy in ((240, False), (None, True)):
        owner("PATCH", "/api/v1/me", 200, {"preferences": {"max_height": most}})
        for client in ("master", "native"):
            url = owner("POST", "/api/v1/playback", 201, {"item": film}).json[client]
            text = owner("GET", url, 200).text
            assert ("\nvideo-copy/" in text) == has_copy and "\nvideo-360p/" in text, (most, text)


def test_all_that_is_kept_can_be_taken_along(house):
    server, owner = house
    film, _ = titles(owner)["Long"]
    owner("PUT", f"/api/v1/progress/{film}", 204, {"position": 4})
    owner("PUT", f"/api/v1/watchlist/{film}", 204)
    owner("POST", f"/api/v1/items/{film}/comments", 201, {"text": "Well."})
    owner("PATCH", "/api/v1/me", 200, {"preferences": {"language": "de"}})
    mine = owner("GET", "/api/v1/me/export", 200).json
    assert mine["account"]["username"] == "anna" and mine["preferences"] == {"language": "de"}
    assert [len(mine[name]) for name in ("history", "continue", "watchlist", "comments", "sessions")] == [1] * 5
    assert PASSWORD not in str(mine) and owner.cookie.split("=")[1] not in str(mine)
    add(owner, "ben")
    theirs = sign_in(server, "ben")("GET", "/api/v1/me/export", 200).json
    assert not theirs["history"] and not theirs["comments"] and not theirs["watchlist"]


def test_what_is_his_goes_with_an_account(house):
    server, owner = house
    film, _ = titles(owner)["Long"]
    id_ = add(owner, "ben")["id"]
    ben = sign_in(server, "ben")
    ben("PUT", f"/api/v1/progress/{film}", 204, {"position": 4})
    ben("PUT", f"/api/v1/watchlist/{film}", 204)
    ben("POST", f"/api/v1/items/{film}/comments", 201, {"text": "Well."})
    ben("PATCH", "/api/v1/me", 200, {"preferences": {"language": "de"}})
    ben("GET", "/api/v1/history", 200)
    owner("DELETE", f"/api/v1/users/{id_}", 204)
    assert owner("GET", f"/api/v1/items/{film}/comments", 200).json["items"] == []
    time.sleep(0.1)
    with sqlite3.connect(f"file:{server.data}/matinee.db?mode=ro", uri=True) as database:
        for table in ("progress", "history", "watchlist", "comment", "preference", "watched"):
            assert database.execute(f"SELECT count(*) FROM {table} WHERE user = ?", [id_]).fetchone() == (0,)


def test_a_replaced_file_keeps_what_was_said_of_its_film(folder):
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-replaced-"))
    shutil.copy(films.make("plain.mkv"), made / "Film (1979).mkv")
    try:
        with Server(made) as server:
            ask = Checked(server)
            server.library()
            item, file = titles(ask, 1)["Film"]
            ask("PUT", f"/api/v1/progress/{item}", 204, {"position": 4})
            ask("GET", "/api/v1/history", 200)
            (made / "Film (1979).mkv").unlink()
            shutil.copy(films.make("faststart.mp4"), made / "Film.1979.720p.mp4")
            deadline = time.monotonic() + 60 * SLOW
            while titles(ask, 1)["Film"][1] == file:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert titles(ask, 1)["Film"][0] == item
            assert ask("GET", f"/api/v1/progress/{item}", 200).json["position"] == 4
            assert begun(ask) == [("Film", 4)]
    finally:
        shutil.rmtree(made)


def test_a_kill_loses_five_seconds_at_most(folder):
    """Killed at any moment while it writes, again and again: the database is whole, what was acknowledged is
    kept, and positions that were told more than five seconds before."""
    data = tempfile.mkdtemp(prefix="matinee-data-")
    said = 0
    try:
        for round_ in range(100 if FULL else 5):
            server = Server(folder, data=data).start()
            ask = Checked(server)
            item, _ = titles(ask)["Long"]
            told, comments, stop = [], [], threading.Event()

            def tell():
                position = 2.0 + round_ / 100
                while not stop.is_set():
                    position += 0.0001
                    try:
                        got = server.ask("PUT", f"/api/v1/progress/{item}", {"position": position})
                        if got.status == 204:
                            told.append((time.monotonic(), position))
                    except OSError:
                        return

            def say():
                while not stop.is_set():
                    try:
                        got = server.ask("POST", f"/api/v1/items/{item}/comments", {"text": "Well."})
                        if got.status == 201:
                            comments.append(got.json["id"])
                    except OSError:
                        return

            threads = [threading.Thread(target=work) for work in (tell, say, say)]
            for thread in threads:
                thread.start()
            is_long = round_ % 20 == 4
            time.sleep(7.5 + 1.5 * SLOW if is_long else 0.2 + 0.013 * (round_ % 50))
            killed = time.monotonic()
            server.stop(kill=True)
            stop.set()
            for thread in threads:
                thread.join()
            with sqlite3.connect(f"{data}/matinee.db") as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                kept = {id_ for (id_,) in database.execute("SELECT id FROM comment")}
                assert kept.issuperset(comments) and len(kept) <= said + len(comments) + 2
                said = len(kept)
                if is_long:
                    due = max(position for at, position in told if at < killed - 5 - 1.5 * SLOW)
                    [(position,)] = database.execute("SELECT position_ms FROM progress").fetchall()
                    assert position >= int(due * 1000) - 1, (position, due, told[-1])
    finally:
        shutil.rmtree(data)


# --- children ---

def child_of(server, owner, **more):
    made = add(owner, "cleo", role="child", **{"age_limit": 6, **more})
    return made["id"], sign_in(server, "cleo")


def test_a_child_sees_what_is_for_its_age(house):
    server, owner = house
    known = titles(owner)
    id_, child = child_of(server, owner)
    assert child("GET", "/api/v1/me", 200).json["age_limit"] == 6

    def sees():
        page = child("GET", "/api/v1/library", 200).json
        assert page["total"] == len(page["items"]) == sum(1 for _ in page["letters"])
        return [t["title"] for t in page["items"]]

    assert sees() == []  # nobody has said for whom they are
    assert owner("PATCH", f"/api/v1/titles/{known['Long'][0]}", 200, {"age": 6}).json["age"] == 6
    assert owner("PATCH", f"/api/v1/titles/{known['Short'][0]}", 200, {"age": 16}).json["age"] == 16
    assert sees() == ["Long"]
    assert child("GET", "/api/v1/library?q=short", 200).json["items"] == []
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"age_limit": 16})
    assert sees() == ["Long", "Short"]
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"age_limit": 6})
    owner("PATCH", f"/api/v1/titles/{known['Short'][0]}", 200, {"age": None})
    assert sees() == ["Long"]
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"unrated": True})
    assert sees() == ["Long", "Short"]
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"unrated": False, "role": "member"})
    assert sees() == ["Long", "Short"]
    for wish, field in (({"age": -1}, "age"), ({"age": "6"}, "age"), ({}, "age"), ({"age": 22}, "age")):
        assert owner("PATCH", f"/api/v1/titles/{known['Long'][0]}", 400, wish).json["field"] == field
    owner("PATCH", "/api/v1/titles/nosuch", 404, {"age": 6})
    child("PATCH", f"/api/v1/titles/{known['Long'][0]}", 403, {"age": 0})
    assert owner("POST", "/api/v1/users", 400,
                 {"username": "x", "role": "child"}).json["field"] == "age_limit"
    assert owner("POST", "/api/v1/invites", 400, {"role": "child"}).json["field"] == "age_limit"
    code = owner("POST", "/api/v1/invites", 201, {"role": "child", "age_limit": 12}).json["code"]
    wish = {"username": "dora", "password": PASSWORD, "code": code}
    assert Checked(server)("POST", "/api/v1/register", 201, wish).json["age_limit"] == 12


#: Everything that is of one title, by its item, its file, or what hangs on it.
def requests_of(item, file, comment):
    return [
        ("GET", f"/api/v1/titles/{item}", None),
        ("GET", f"/api/v1/files/{file}", None),
        ("GET", f"/api/v1/files/{file}/availability", None),
        ("GET", f"/api/v1/files/{file}/raw", None),
        ("GET", f"/api/v1/files/{file}/subtitles", None),
        ("GET", f"/api/v1/files/{file}/subtitles/1.vtt", None),
        ("GET", f"/api/v1/files/{file}/fonts/1", None),
        ("GET", f"/hls/{file}/master.m3u8", None),
        ("GET", f"/hls/{file}/storyboard.vtt", None),
        ("GET", f"/hls/{file}/video-copy/index.m3u8", None),
        ("GET", f"/hls/{file}/video-copy/init.mp4", None),
        ("GET", f"/hls/{file}/video-copy/0.m4s", None),
        ("GET", f"/hls/{file}/iframes-video-copy/index.m3u8", None),
        ("POST", "/api/v1/playback", {"file": file}),
        ("POST", "/api/v1/playback", {"item": item}),
        ("GET", f"/api/v1/progress/{item}", None),
        ("GET", f"/api/v1/progress/{file}", None),
        ("PUT", f"/api/v1/progress/{item}", {"position": 1}),
        ("POST", f"/api/v1/progress/{file}", {"position": 1}),
        ("DELETE", f"/api/v1/progress/{item}", None),
        ("PUT", f"/api/v1/watched/{item}", None),
        ("DELETE", f"/api/v1/watched/{item}", None),
        ("PUT", f"/api/v1/continue/{item}", None),
        ("DELETE", f"/api/v1/continue/{item}", None),
        ("PUT", f"/api/v1/watchlist/{item}", None),
        ("DELETE", f"/api/v1/watchlist/{item}", None),
        ("GET", f"/api/v1/items/{item}/comments", None),
        ("POST", f"/api/v1/items/{item}/comments", {"text": "x"}),
        ("DELETE", f"/api/v1/comments/{comment}", None),
    ]


def test_what_is_not_for_a_child_looks_as_what_is_not_there(house):
    """Each of a title's routes, asked by a child and by its key: the same bytes as of an id that never was."""
    server, owner = house
    (item, file), (seen, seen_file) = titles(owner)["Short"], titles(owner)["Long"]
    owner("PATCH", f"/api/v1/titles/{item}", 200, {"age": 16})
    owner("PATCH", f"/api/v1/titles/{seen}", 200, {"age": 6})
    comment = owner("POST", f"/api/v1/items/{item}/comments", 201, {"text": "not for you"}).json["id"]
    _, child = child_of(server, owner)
    _, key = make_key(child, "read", "play")
    gone = "aaaaaaaaaaaaaaaaaaaa"
    for headers in ({"Cookie": child.cookie}, key):
        for (method, path, body), (_, path_gone, body_gone) in zip(
                requests_of(item, file, comment), requests_of(gone, gone, gone)):
            theirs = server.ask(method, path, body, headers)
            none = server.ask(method, path_gone, body_gone, headers)
            assert theirs.status == 404, (method, path, theirs.status, theirs.text[:200])
            assert (theirs.status, theirs.body) == (none.status, none.body), (method, path)
    # and what is for it, it can watch
    for method, path, body in requests_of(seen, seen_file, "nosuch")[:15]:
        got = server.ask(method, path, body, {"Cookie": child.cookie})
        is_none = path.endswith(("/1.vtt", "/fonts/1", "/storyboard.vtt"))
        expected = 404 if is_none else 201 if method == "POST" else 200
        assert got.status == expected, (method, path, got.status, got.text[:200])
    # nothing of the other shows in any list
    owner("PUT", f"/api/v1/progress/{item}", 204, {"position": 5})
    for path in ("/api/v1/library", "/api/v1/continue", "/api/v1/history", "/api/v1/watchlist",
                 "/api/v1/playback", "/api/v1/me/export"):
        text = child("GET", path, 200).text
        assert item not in text and file not in text and "Short" not in text, path
    # downloads and links are not for children at all
    for path in ("/api/v1/downloads", "/api/v1/links", "/api/v1/library/scan", "/stream?url=http://a/",
                 "/api/validate?url=http://a/"):
        child("GET", path, 403)
    child("GET", "/api/v1/events?topics=downloads", 403)


def test_what_a_child_has_watched_goes_from_its_sight_with_its_age(house):
    server, owner = house
    item, _ = titles(owner)["Long"]
    owner("PATCH", f"/api/v1/titles/{item}", 200, {"age": 6})
    id_, child = child_of(server, owner)
    child("PUT", f"/api/v1/progress/{item}", 204, {"position": 5})
    child("PUT", f"/api/v1/watchlist/{item}", 204)
    assert begun(child) == [("Long", 5)]
    assert child("GET", "/api/v1/history", 200).json["items"]
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"age_limit": 5})
    for path in ("continue", "history", "watchlist"):
        assert child("GET", f"/api/v1/{path}", 200).json["items"] == []
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"age_limit": 6})
    assert begun(child) == [("Long", 5)]


#: Who hears which news: the type of each event of the document.
NEWS = {"scan": "member", "title": "whoever may know of it", "title-gone": "anyone",
        "download": "member", "download-gone": "member", "playback": "its own", "playback-gone": "its own"}


def test_news_are_for_whom_they_are(house):
    """A child hears of titles that are for it, of those that no longer are that they are gone, and of no
    scans."""
    from test_openapi import DOCUMENT, resolve
    types = {resolve(event)["properties"]["type"]["const"]
             for event in DOCUMENT["components"]["schemas"]["Event"]["oneOf"]}
    assert types == set(NEWS)
    server, owner = house
    known = titles(owner)
    _, child = child_of(server, owner)
    heard = {}
    ready = threading.Barrier(3)

    def listen(name, cookie):
        def enough(got):
            if got[-1][0] == "live" and len(got) <= 2:
                ready.wait(30)
            # the last change that both hear of
            return got[-1][2].get("title", {}).get("age") == 3
        heard[name] = events(server, "library", enough, headers=f"Cookie: {cookie}\r\n")

    threads = [threading.Thread(target=listen, args=(name, ask.cookie))
               for name, ask in (("owner", owner), ("child", child))]
    for thread in threads:
        thread.start()
    ready.wait(30)
    steps = [("Long", 6), ("Short", 16), ("Long", 12), ("Short", 5), ("Short", None), ("Long", 3)]
    for name, age in steps:
        owner("PATCH", f"/api/v1/titles/{known[name][0]}", 200, {"age": age})
        time.sleep(0.7)  # two states a second of one object: each is to be heard
    for thread in threads:
        thread.join()

    def told(name):
        return [(data["type"], data["title"]["title"] if "title" in data else data["id"],
                 data.get("title", {}).get("age")) for kind, _, data in heard[name] if kind == "library"]

    assert [t for t in told("owner") if t[0] != "scan"] == [("title", n, a) for n, a in steps]
    assert told("owner")[0][0] == "scan"
    assert told("child") == [
        ("title", "Long", 6), ("title-gone", known["Long"][0], None), ("title", "Short", 5),
        ("title-gone", known["Short"][0], None), ("title", "Long", 3)]
    assert all("watched" not in data.get("title", {}) for _, _, data in heard["owner"])


# --- how much at once ---

def test_as_many_films_at_once_as_an_account_may(house):
    server, owner = house
    known = titles(owner)
    id_ = add(owner, "ben", streams=1)["id"]
    ben = sign_in(server, "ben")
    first = ben("POST", "/api/v1/playback", 201, {"item": known["Long"][0]}).json
    refused = ben("POST", "/api/v1/playback", 409, {"item": known["Short"][0]}).json
    assert "1 at once" in refused["detail"]
    assert server.ask("GET", first["master"], headers={"Cookie": ben.cookie}).status == 200
    for path in (f"/hls/{known['Short'][1]}/master.m3u8", f"/api/v1/files/{known['Short'][1]}/raw"):
        ben("GET", path, 403)  # without a playback it counts as well
    ben("GET", f"/api/v1/files/{known['Short'][1]}", 200)
    ben("DELETE", f"/api/v1/playback/{first['id']}", 204)
    ben("POST", "/api/v1/playback", 201, {"item": known["Short"][0]})
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"streams": 2})
    ben("POST", "/api/v1/playback", 201, {"item": known["Long"][0]})
    ben("POST", "/api/v1/playback", 409, {"item": known["Long"][0]})
    owner("PATCH", f"/api/v1/users/{id_}", 200, {"streams": 0})
    for _ in range(3):
        ben("POST", "/api/v1/playback", 201, {"item": known["Long"][0]})
    assert owner("POST", "/api/v1/users", 400,
                 {"username": "x", "streams": -1}).json["field"] == "streams"
