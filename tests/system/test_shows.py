# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows: their episodes are told by names and folders, stand together, and are gone on with one after the other."""

import os
import pathlib
import shutil
import sqlite3
import tempfile
import time

import pytest

import films
from server import SLOW, Server
from test_accounts import add, sign_in
from test_openapi import PASSWORD, Checked

EPISODES = ["Dark Matter (2015)/Season 1/Dark Matter - S01E01 - Pilot.mkv", "Dark Matter (2015)/Season 1/Dark Matter - S01E02.mkv",
            "Dark Matter (2015)/Season 2/S02E01.mkv", "Dark Matter (2015)/Specials/Dark Matter - S00E01 - The Making.mkv",
            "Dark.Matter.2015.S02E02E03.720p.WEB.mkv"]


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-shows-"))
    film = films.make("plain.mkv")
    for name in [*EPISODES, "Alien (1979).mkv"]:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, made / name)
        with open(made / name, "ab") as file:  # each is another file
            file.write(os.urandom(16))
    yield made
    shutil.rmtree(made)


def set_up(server):
    """The owner of a new house, and its titles once the folder is walked."""
    owner = Checked(server)
    owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
    return owner, settled(owner)


@pytest.fixture
def house(folder):
    with Server(folder, auth="accounts") as server:
        yield server, *set_up(server)


def settled(ask):
    """{title: it}, once all was looked at."""
    deadline = time.monotonic() + 60 * SLOW
    while True:
        items = ask("GET", "/api/v1/library", 200).json["items"]
        scan = ask("GET", "/api/v1/library/scan", 200).json
        if scan["finished"] and not scan["running"] and all(t["state"] == "ready" for t in items):
            return {t["title"]: t for t in items}
        assert time.monotonic() < deadline, (scan, items)
        time.sleep(0.1)


def episodes(ask, show, query=""):
    return ask("GET", f"/api/v1/titles/{show}/episodes{query}", 200).json["items"]


def places(items):
    return [(e["season"], e["episode"]) for e in items]


def following(ask, item):
    found = ask("GET", f"/api/v1/items/{item}/next", 200).json["item"]
    return found and (found["season"], found["episode"])


def test_episodes_stand_together(house):
    server, owner, titles = house
    assert set(titles) == {"Dark Matter", "Alien"}
    page = owner("GET", "/api/v1/library", 200).json
    assert page["total"] == 2 and [letter["letter"] for letter in page["letters"]] == ["A", "D"]
    show = titles["Dark Matter"]
    assert show["kind"] == "show" and show["year"] == 2015 and show["files"] == [] and show["watched"] is False
    assert show["seasons"] == [{"season": 0, "episodes": 1, "watched": 0}, {"season": 1, "episodes": 2, "watched": 0},
                               {"season": 2, "episodes": 2, "watched": 0}]
    items = episodes(owner, show["id"])
    assert places(items) == [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
    assert [e["title"] for e in items] == ["The Making", "Pilot", "", "", ""]
    assert items[4]["last_episode"] == 3 and "last_episode" not in items[0]
    assert all(e["kind"] == "episode" and e["show"] == {"id": show["id"], "title": "Dark Matter"} for e in items)
    assert all(len(e["files"]) == 1 for e in items)
    assert places(episodes(owner, show["id"], "?season=2")) == [(2, 1), (2, 2)]
    assert episodes(owner, show["id"], "?season=7") == []
    assert owner("GET", f"/api/v1/titles/{show['id']}/episodes?season=x", 400).json["field"] == "season"
    owner("GET", f"/api/v1/titles/{titles['Alien']['id']}/episodes", 404)
    owner("GET", f"/api/v1/titles/{items[0]['id']}/episodes", 404)
    assert owner("GET", f"/api/v1/titles/{items[1]['id']}", 200).json == items[1]
    for query, found in (("dark", ["Dark Matter"]), ("pilot", []), ("matter dark", ["Dark Matter"])):
        assert [t["title"] for t in owner("GET", f"/api/v1/library?q={query.replace(' ', '+')}", 200).json["items"]] == found
    for kind, found in (("show", ["Dark Matter"]), ("film", ["Alien"]), ("other", [])):
        assert [t["title"] for t in owner("GET", f"/api/v1/library?kind={kind}", 200).json["items"]] == found


def test_one_goes_on_from_episode_to_episode(house):
    server, owner, titles = house
    show = titles["Dark Matter"]["id"]
    special, pilot, second, third, fourth = episodes(owner, show)
    assert following(owner, show) == (1, 1)
    assert following(owner, pilot["id"]) == (1, 2)
    assert following(owner, pilot["files"][0]["id"]) == (1, 2)
    assert following(owner, second["id"]) == (2, 1)
    assert following(owner, fourth["id"]) is None  # it holds the last two
    assert following(owner, special["id"]) is None
    assert following(owner, titles["Alien"]["id"]) is None
    owner("GET", "/api/v1/items/aaaaaaaaaaaaaaaaaaaa/next", 404)
    # what was begun is gone on with; what is watched is passed over
    owner("PUT", f"/api/v1/progress/{second['id']}", 204, {"position": 700, "duration": 2400})
    assert following(owner, show) == (1, 2)
    [begun] = owner("GET", "/api/v1/continue", 200).json["items"]
    assert begun["item"]["show"] == {"id": show, "title": "Dark Matter"} and begun["item"]["episode"] == 2
    playback = owner("POST", "/api/v1/playback", 201, {"item": show}).json
    assert playback["item"] == second["id"] and playback["file"] == second["files"][0]["id"]
    owner("PUT", f"/api/v1/progress/{second['id']}", 204, {"position": 2399, "duration": 2400})
    assert following(owner, show) == (2, 1)  # after the one watched last, though the pilot was not
    assert owner("GET", "/api/v1/continue", 200).json["items"] == []
    for each in (third, fourth):
        owner("PUT", f"/api/v1/watched/{each['id']}", 204)
    assert following(owner, show) == (1, 1)
    owner("PUT", f"/api/v1/watched/{pilot['id']}", 204)
    assert owner("GET", f"/api/v1/titles/{show}", 200).json["watched"] is True  # specials apart
    assert following(owner, show) == (0, 1)
    # a show has no place of its own
    assert owner("PUT", f"/api/v1/progress/{show}", 400, {"position": 1}).json["field"] == "item"
    history = owner("GET", "/api/v1/history", 200).json["items"]
    assert history[0]["item"]["season"] == 1


def test_a_season_or_a_show_is_marked_as_watched(house):
    server, owner, titles = house
    show = titles["Dark Matter"]["id"]

    def watched():
        return [s["watched"] for s in owner("GET", f"/api/v1/titles/{show}", 200).json["seasons"]]

    owner("PUT", f"/api/v1/watched/{show}?season=1", 204)
    assert watched() == [0, 2, 0]
    add(owner, "ben")
    ben = sign_in(server, "ben")
    assert [s["watched"] for s in ben("GET", f"/api/v1/titles/{show}", 200).json["seasons"]] == [0, 0, 0]
    owner("PUT", f"/api/v1/watched/{show}", 204)
    assert watched() == [1, 2, 2] and following(owner, show) is None
    owner("DELETE", f"/api/v1/watched/{show}?season=2", 204)
    assert watched() == [1, 2, 0]
    owner("DELETE", f"/api/v1/watched/{show}?season=2", 404)
    owner("PUT", f"/api/v1/watched/{show}?season=x", 400)


def test_a_show_for_its_age_is_so_with_its_episodes(house):
    server, owner, titles = house
    show = titles["Dark Matter"]["id"]
    child = owner("POST", "/api/v1/users", 201, {"username": "cleo", "password": PASSWORD, "role": "child", "age_limit": 12}).json
    cleo = sign_in(server, "cleo")
    pilot = episodes(owner, show)[1]
    cleo("GET", f"/api/v1/titles/{show}", 404)
    cleo("GET", f"/api/v1/titles/{show}/episodes", 404)
    cleo("GET", f"/api/v1/items/{pilot['id']}/next", 404)
    owner("PATCH", f"/api/v1/titles/{show}", 200, {"age": 12})
    assert len(episodes(cleo, show)) == 5 and following(cleo, show) == (1, 1)
    owner("PATCH", f"/api/v1/titles/{pilot['id']}", 200, {"age": 16})
    assert len(episodes(cleo, show)) == 4 and following(cleo, show) == (1, 2)
    cleo("GET", f"/api/v1/titles/{pilot['id']}", 404)
    # nor does it mark it, with all of the show
    cleo("PUT", f"/api/v1/watched/{show}", 204)
    owner("PATCH", f"/api/v1/users/{child['id']}", 200, {"age_limit": 16})
    assert following(cleo, show) == (1, 1)
    cleo("DELETE", f"/api/v1/watched/{show}", 204)
    owner("PATCH", f"/api/v1/users/{child['id']}", 200, {"age_limit": 12})
    # what it may not know of does not stand in for the others either
    for each in episodes(cleo, show):
        cleo("PUT", f"/api/v1/watched/{each['id']}", 204)
    assert following(cleo, show) is None
    assert cleo("POST", "/api/v1/playback", 201, {"item": show}).json["item"] != pilot["id"]
    for each in episodes(owner, show):
        owner("PATCH", f"/api/v1/titles/{each['id']}", 200, {"age": 16})
    cleo("GET", f"/api/v1/titles/{show}", 404)
    assert cleo("GET", "/api/v1/library", 200).json["total"] == 0
    cleo("POST", "/api/v1/playback", 404, {"item": show})


def test_a_show_that_is_called_otherwise_is_the_same(house, folder):
    server, owner, titles = house
    show = titles["Dark Matter"]["id"]
    owner("PUT", f"/api/v1/watchlist/{show}", 204)
    owner("PATCH", f"/api/v1/titles/{show}", 200, {"age": 12})
    for name in EPISODES:
        new = name.replace("Dark Matter (2015)", "Black Matter (2016)").replace("Dark Matter", "Black Matter").replace(
            "Dark.Matter.2015", "Black.Matter.2016")
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(folder / new)
    deadline = time.monotonic() + 60 * SLOW
    while True:
        items = owner("GET", "/api/v1/library?kind=show", 200).json["items"]
        if [(t["title"], sum(s["episodes"] for s in t["seasons"])) for t in items] == [("Black Matter", 5)]:
            break
        assert time.monotonic() < deadline, items
        time.sleep(0.2)
    assert items[0]["age"] == 12
    [wanted] = owner("GET", "/api/v1/watchlist", 200).json["items"]
    assert wanted["item"]["id"] == items[0]["id"]


def test_what_comes_and_goes(house, folder):
    server, owner, titles = house
    show = titles["Dark Matter"]["id"]
    owner("PUT", f"/api/v1/watchlist/{show}", 204)
    assert owner("GET", "/api/v1/watchlist", 200).json["items"][0]["item"]["here"] is True
    first = episodes(owner, show)[1]
    owner("PUT", f"/api/v1/watched/{first['id']}", 204)
    # another release of the first episode is one of its files; a new season is one of the show
    shutil.copy(films.make("plain.mp4"), folder / "Dark.Matter.2015.S01E01.1080p.mp4")
    shutil.copy(films.make("plain.mp4"), folder / "Dark Matter (2015)" / "Dark Matter - S03E01.mp4")
    with open(folder / "Dark Matter (2015)" / "Dark Matter - S03E01.mp4", "ab") as file:
        file.write(os.urandom(16))
    deadline = time.monotonic() + 60 * SLOW
    while places(episodes(owner, show))[-1] != (3, 1) or len(episodes(owner, show)[1]["files"]) != 2:
        assert time.monotonic() < deadline, episodes(owner, show)
        time.sleep(0.2)
    assert episodes(owner, show)[1]["id"] == first["id"] and episodes(owner, show)[1]["watched"] is True
    latest = owner("GET", "/api/v1/library?sort=added", 200).json["items"][0]
    assert latest["id"] == show
    for name in [*EPISODES, "Dark.Matter.2015.S01E01.1080p.mp4", "Dark Matter (2015)/Dark Matter - S03E01.mp4"]:
        (folder / name).unlink()
    while len(owner("GET", "/api/v1/library", 200).json["items"]) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    owner("GET", f"/api/v1/titles/{show}", 404)
    assert owner("GET", "/api/v1/watchlist", 200).json["items"][0]["item"]["here"] is False


def test_what_was_named_before_there_were_shows_is_named_anew(folder):
    """The first walk after the upgrade: what people have of a file's title becomes theirs of its episode."""
    data = tempfile.mkdtemp(prefix="matinee-data-")
    with Server(folder, auth="accounts", data=data) as server:
        set_up(server)
    with sqlite3.connect(f"{data}/matinee.db") as db:  # as the version before had it: each file a title of its own
        db.execute("PRAGMA foreign_keys = OFF")
        pilot = db.execute("SELECT id FROM title WHERE title = 'Pilot'").fetchone()[0]
        db.execute("UPDATE file SET names = 1")
        old = db.execute("SELECT n FROM title WHERE kind = 'episode'").fetchall()
        db.execute("UPDATE title SET kind = 'other', title = 'Dark Matter', sort = 'dark matter', folded = 'dark matter',"
                   " match = NULL, show = NULL, season = NULL, episode = NULL, last_episode = NULL WHERE kind = 'episode'")
        db.executemany("INSERT INTO title_search(title_search, rowid, folded) VALUES('delete', ?, '')", old)
        db.executemany("INSERT INTO title_search(rowid, folded) VALUES(?, 'dark matter')", old)
        shows = db.execute("SELECT n, folded FROM title WHERE kind = 'show'").fetchall()
        db.executemany("INSERT INTO title_search(title_search, rowid, folded) VALUES('delete', ?, ?)", shows)
        db.execute("DELETE FROM title WHERE kind = 'show'")
        user = db.execute("SELECT id FROM user").fetchone()[0]
        db.execute("INSERT INTO watched VALUES(?, ?, 1)", (user, pilot))
    with Server(folder, auth="accounts", data=data) as server:
        owner = sign_in(server, "anna")
        show = settled(owner)["Dark Matter"]
        items = episodes(owner, show["id"])
        assert places(items) == [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
        assert [e["watched"] for e in items] == [False, True, False, False, False]
        assert [t["kind"] for t in owner("GET", "/api/v1/library?q=dark", 200).json["items"]] == ["show"]
        assert owner("GET", "/api/v1/library?q=pilot", 200).json["items"] == []
    with sqlite3.connect(f"{data}/matinee.db") as db:
        db.execute("INSERT INTO title_search(title_search) VALUES('integrity-check')")
    shutil.rmtree(data)


def test_episodes_that_were_one_film_part_with_what_is_theirs(folder):
    """Before there were shows, files of one title and year were one film."""
    data = tempfile.mkdtemp(prefix="matinee-data-")
    with Server(folder, auth="accounts", data=data) as server:
        set_up(server)
    with sqlite3.connect(f"{data}/matinee.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        rows = db.execute("SELECT t.id, f.id, t.season, t.episode FROM title t JOIN file f ON f.title = t.id"
                          " WHERE t.kind = 'episode' ORDER BY t.season, t.episode").fetchall()
        one, begun = rows[0][0], rows[3][1]
        db.execute("UPDATE file SET names = 1, title = ? WHERE id IN (SELECT f.id FROM file f JOIN title t ON t.id = f.title"
                   " WHERE t.kind = 'episode')", (one,))
        gone = db.execute("SELECT n, folded FROM title WHERE kind IN ('show', 'episode')").fetchall()
        db.executemany("INSERT INTO title_search(title_search, rowid, folded) VALUES('delete', ?, ?)", gone)
        db.execute("DELETE FROM title WHERE kind IN ('show', 'episode') AND id <> ?", (one,))
        db.execute("UPDATE title SET kind = 'film', title = 'Dark Matter', year = 2015, sort = 'dark matter',"
                   " folded = 'dark matter', match = 'dark matter 2015', show = NULL, season = NULL, episode = NULL, age = 16"
                   " WHERE id = ?", (one,))
        db.execute("INSERT INTO title_search(rowid, folded) SELECT n, folded FROM title WHERE id = ?", (one,))
        user = db.execute("SELECT id FROM user").fetchone()[0]
        db.execute("INSERT INTO progress VALUES(?, ?, ?, 600000, 2400000, 5, 0)", (user, one, begun))
    with Server(folder, auth="accounts", data=data) as server:
        owner = sign_in(server, "anna")
        show = settled(owner)["Dark Matter"]
        items = episodes(owner, show["id"])
        assert places(items) == [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
        assert [e["age"] for e in items] == [16] * 5
        assert ["progress" in e for e in items] == [False, False, False, True, False]
        assert following(owner, show["id"]) == (2, 1)
    shutil.rmtree(data)


def test_a_show_of_two_releases_an_episode_is_the_same_under_another_name(house, folder):
    server, owner, _ = house
    names = [f"Twice (2001)/Twice - S01E01 - {kind}.{kind}" for kind in ("mkv", "mp4")]
    (folder / "Twice (2001)").mkdir()
    for name in names:
        shutil.copy(films.make(f"plain.{name[-3:]}"), folder / name)
        with open(folder / name, "ab") as file:
            file.write(os.urandom(16))

    def awaited(title):
        deadline = time.monotonic() + 60 * SLOW
        while True:
            shows = {t["title"]: t for t in owner("GET", "/api/v1/library?kind=show", 200).json["items"]}
            if title in shows and [len(e["files"]) for e in episodes(owner, shows[title]["id"])] == [2]:
                return shows
            assert time.monotonic() < deadline, shows
            time.sleep(0.2)

    show = awaited("Twice")["Twice"]["id"]
    owner("PATCH", f"/api/v1/titles/{show}", 200, {"age": 12})
    owner("PUT", f"/api/v1/watchlist/{show}", 204)
    (folder / "Thrice (2001)").mkdir()
    for name in names:
        (folder / name).rename(folder / name.replace("Twice", "Thrice"))
    shows = awaited("Thrice")
    assert set(shows) == {"Thrice", "Dark Matter"} and shows["Thrice"]["age"] == 12
    [wanted] = owner("GET", "/api/v1/watchlist", 200).json["items"]
    assert wanted["item"]["id"] == shows["Thrice"]["id"]
