# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups: by the API and by the command line, while the server runs, and what becomes of a database that is
damaged or old."""

import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

import films
from downloading import fake_disk
from server import BIN, ROOT, SLOW, Server
from test_accounts import add, sign_in
from test_openapi import PASSWORD, Checked
from test_personal import titles


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-backup-"))
    shutil.copy(films.make("plain.mkv"), made / "Film (1979).mkv")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def data():
    made = tempfile.mkdtemp(prefix="matinee-data-")
    yield made
    shutil.rmtree(made)


def set_up(server):
    owner = Checked(server)
    owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
    return owner


def wait_for_restart(server):
    """The same process says anew where it listens."""
    line = server.process.stdout.readline().decode()
    assert line.startswith("listening on "), (line, server.log[-5:])
    server.port = urllib.parse.urlsplit(line.split()[2]).port


def matinee(*words, text=""):
    return subprocess.run([BIN, *words], input=text, capture_output=True, text=True, timeout=60 * SLOW)


@pytest.mark.parametrize("disk", ["local", "share"])
def test_what_was_backed_up_comes_back(folder, data, disk):
    environment = fake_disk(share=pathlib.Path(data, "full")) if disk == "share" else None
    with Server(folder, auth="accounts", data=data, environment=environment) as server:
        owner = set_up(server)
        item, _ = titles(owner, 1)["Film"]
        owner("PUT", f"/api/v1/progress/{item}", 204, {"position": 7})
        add(owner, "ben")
        ben = sign_in(server, "ben")
        made = owner("POST", "/api/v1/backups", 201).json
        assert made["kind"] == "manual"
        taken = owner("GET", f"/api/v1/backups/{made['id']}", 200)
        assert len(taken.body) == made["size"] and "attachment" in taken.header("content-disposition")
        add(owner, "cleo")
        owner("PUT", f"/api/v1/progress/{item}", 204, {"position": 9})
        ben("GET", f"/api/v1/backups/{made['id']}", 403)
        owner("POST", "/api/v1/restore", 202, {"backup": made["id"]})
        wait_for_restart(server)
        assert [u["username"] for u in owner("GET", "/api/v1/users", 200).json["items"]] == ["anna", "ben"]
        ben("GET", "/api/v1/me", 200)
        assert owner("GET", f"/api/v1/progress/{item}", 200).json["position"] == 7
        assert titles(owner, 1)["Film"][0] == item
        [kept] = pathlib.Path(data).glob("before-restore-*")
        with sqlite3.connect(kept / "matinee.db") as old:
            assert old.execute("SELECT count(*) FROM user").fetchone() == (3,)
        # the file that was taken away does the same, by the command line, while the server runs
        file = pathlib.Path(data, "taken.db")
        file.write_bytes(taken.body)
        add(owner, "dora")
        said = matinee("restore", str(file), "--data", data)
        assert said.returncode == 0 and "starts again" in said.stdout, said
        wait_for_restart(server)
        assert len(owner("GET", "/api/v1/users", 200).json["items"]) == 2


def test_a_backup_while_it_is_written(folder, data):
    """Each holds what was acknowledged before it was begun, and is whole; of a comment and its count in two tables
    it never holds a half."""
    with Server(folder, data=data) as server:
        ask = Checked(server)
        item, _ = titles(ask, 1)["Film"]
        said, stop = [], threading.Event()

        def say():
            while not stop.is_set():
                said.append(server.ask("POST", f"/api/v1/items/{item}/comments", {"text": "x"}).json["id"])

        threads = [threading.Thread(target=say) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for n in range(6):
                time.sleep(0.3)
                before = set(said)
                path = f"{data}/copy{n}.db"
                got = matinee("backup", path, "--data", data)
                assert got.returncode == 0, got
                with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as copy:
                    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    kept = {id_ for (id_,) in copy.execute("SELECT id FROM comment")}
                assert before <= kept, n
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert len(said) > 20
        again = matinee("backup", f"{data}/copy0.db", "--data", data)
        assert again.returncode == 1 and "already" in again.stderr


def test_restore_without_a_server(folder, data):
    with Server(folder, auth="accounts", data=data) as server:
        set_up(server)
    assert matinee("backup", f"{data}/copy.db", "--data", data).returncode == 0
    other = tempfile.mkdtemp(prefix="matinee-data-")
    try:
        for wrong, words in ((f"{data}/nosuch.db", "No such file"), (str(folder / "Film (1979).mkv"), "not a database")):
            got = matinee("restore", wrong, "--data", other)
            assert got.returncode == 1 and words in got.stderr, got
        got = matinee("restore", f"{data}/copy.db", "--data", other)
        assert got.returncode == 0 and "1 users" in got.stdout and "next start" in got.stdout, got
        with Server(folder, auth="accounts", data=other) as server:
            sign_in(server, "anna")
    finally:
        shutil.rmtree(other)


def test_a_damaged_database_is_left_alone(folder, data):
    """It is said, the last good backup is named, nothing is overwritten; and that backup can be taken."""
    with Server(folder, auth="accounts", data=data) as server:
        owner = set_up(server)
        made = owner("POST", "/api/v1/backups", 201).json
        for n in range(30):
            owner("POST", "/api/v1/invites", 201, {})
    database = pathlib.Path(data, "matinee.db")
    damaged = bytearray(database.read_bytes())
    damaged[4096:4096 * 3] = b"\x5a" * 8192
    database.write_bytes(damaged)
    with pytest.raises(RuntimeError) as failed:
        Server(folder, auth="accounts", data=data).start()
    words = str(failed.value)
    assert "damaged" in words and made["id"] in words and "matinee restore" in words
    assert database.read_bytes() == damaged
    good = f"{data}/backups/{made['id']}.db"
    assert matinee("restore", good, "--data", data).returncode == 0
    with Server(folder, auth="accounts", data=data) as server:
        sign_in(server, "anna")
    [kept] = pathlib.Path(data).glob("before-restore-*")
    assert (kept / "matinee.db").read_bytes() == damaged


def old_schemas():
    """[(version, SQL of its tables and of what somebody had)], as the unit tests keep them."""
    text = (ROOT / "tests" / "unit" / "store" / "old_schemas.h").read_text()
    text = text[text.index("OLD_SCHEMAS[] = {"):]
    found = []
    for part in re.split(r"\n    \{(?=\d+,)", text)[1:]:
        found.append((int(part.split(",")[0]), "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', part))))
    return found


@pytest.mark.parametrize("version", [version for version, _ in old_schemas()])
def test_before_an_upgrade_there_is_a_backup(folder, data, version):
    """A database of every schema there was: it opens, and what it was stands in the backups."""
    with sqlite3.connect(f"{data}/matinee.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        for number, script in old_schemas():
            if number <= version:
                database.executescript(script)
        database.executescript(f"PRAGMA application_id={0x4d74696e}; PRAGMA user_version={version};")
    with Server(folder, auth="accounts", data=data) as server:
        Checked(server)("GET", "/api/v1/status", 200)
    kept = list(pathlib.Path(data, "backups").glob("*-upgrade.db"))
    with sqlite3.connect(f"{data}/matinee.db") as database:
        [now] = database.execute("PRAGMA user_version").fetchone()
    assert now >= max(version for version, _ in old_schemas())
    if now == version:
        assert kept == [], "it is of this program"
        return
    [kept] = kept
    with sqlite3.connect(f"file:{kept}?immutable=1", uri=True) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (version,)
        assert old.execute("SELECT name FROM user ORDER BY name").fetchall() == [("Anna",), ("Ben",)]
    with Server(folder, auth="accounts", data=data):
        assert len(list(pathlib.Path(data, "backups").iterdir())) == 1


def test_a_newer_schema_is_refused(folder, data):
    with Server(folder, auth="accounts", data=data) as server:
        set_up(server)
    with sqlite3.connect(f"{data}/matinee.db") as database:
        newest = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {newest + 7}")
    with pytest.raises(RuntimeError) as failed:
        Server(folder, auth="accounts", data=data).start()
    assert str(newest) in str(failed.value) and str(newest + 7) in str(failed.value)


def test_accounts_are_changed_beside_a_running_server(folder, data):
    with Server(folder, auth="accounts", data=data) as server:
        ask = Checked(server)
        got = matinee("user", "add", "anna", "--data", data, text=PASSWORD + "\n")
        assert got.returncode == 0 and "added anna" in got.stdout, got
        owner = sign_in(server, "anna")
        assert owner("GET", "/api/v1/me", 200).json["role"] == "admin"
        for words, role in ((["--role", "member"], "member"), (["--role", "child", "--age", "7"], "child")):
            name = f"a {role}"
            assert matinee("user", "add", name, *words, "--data", data, text=PASSWORD + "\n").returncode == 0
            assert sign_in(server, name)("GET", "/api/v1/me", 200).json["role"] == role
        listed = matinee("user", "list", "--data", data).stdout.splitlines()
        assert listed == ["a child\tchild of 7", "a member\tmember", "anna\tadmin"]
        # another password: he is signed out at once
        member = sign_in(server, "a member")
        assert matinee("user", "passwd", "a member", "--data", data, text="another long one\n").returncode == 0

        def until(status):
            deadline = time.monotonic() + 20 * SLOW
            while server.ask("GET", "/api/v1/me", headers={"Cookie": member.cookie}).status != status:
                assert time.monotonic() < deadline
                time.sleep(0.05)

        until(401)
        owner("GET", "/api/v1/me", 200)
        member = sign_in(server, "a member", "another long one")
        assert matinee("user", "remove", "a member", "--data", data).returncode == 0
        until(401)
        for words, said in ((["remove", "anna"], "administer"), (["remove", "nobody"], "no user"),
                            (["passwd", "anna"], "8"), (["add", "anna"], "taken")):
            got = matinee("user", *words, "--data", data, text="short\n" if words[0] == "passwd" else PASSWORD)
            assert got.returncode == 1 and said in got.stderr, (words, got)
        for words in (["list", "x"], ["add"], ["dance", "x"], ["add", "x", "--role", "king"],
                      ["add", "x", "--role", "child"], ["add", "x", "--age", "x"]):
            assert matinee("user", *words, "--data", data, text=PASSWORD).returncode == 2, words
        assert ask("GET", "/api/v1/status", 200).json["setup_required"] is False
