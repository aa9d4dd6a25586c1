#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A house of 100,000 titles and 1,000 people: how long the server takes for a page of the library, for a search
as one types, for what one goes on watching; and how many reports of progress a second it takes in, next to a
bare loop of transactions on a copy of the same database. Needs wrk.

    bench/api.py [BUILD-FOLDER] [TITLES] [PEOPLE] [SECONDS]

The times are those of a client on a connection that stays, the server's own plus what that takes; `select_ms` is
what the same question costs as one SELECT in the same file, and nothing around it."""

import base64
import hashlib
import http.client
import json
import pathlib
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.parse

import common
from server import Server

TITLES, PEOPLE, SECONDS = common.number(2, 100_000), common.number(3, 1_000), common.number(4, 10)
ROUNDS = 300
BEGUN, WATCHED, WANTED = 40, 60, 20  # of each person
# What has just changed waits to settle: nothing looks into the files meanwhile.
SETTINGS = {"library.rescan_s": 86_400, "library.settle_s": 3_600, "torrent.enabled": "false"}
WORDS = [a + b for a in ("gar", "lum", "ost", "ver", "mon", "tal", "rin", "bel", "cor", "das", "fen", "hol", "jur",
                         "kas", "nor", "per", "qui", "sol", "ter", "wal")
         for b in ("den", "ia", "tor", "mar", "lis", "é", "ung", "ando", "ich", "el", "ow", "ade", "us", "ix", "ora")]
PASSWORD = "a long password"
random.seed(17)


def make_films(folder):
    """Empty files: each is a title."""
    for n in range(TITLES):
        name = " ".join(random.sample(WORDS, random.randint(1, 4))).title()
        path = folder / f"{n // 1000:03d}" / f"{name} {n} ({1930 + n % 95}).mkv"
        path.parent.mkdir(exist_ok=True)
        path.touch()


def await_walk(server, cookie):
    while True:
        scan = server.get("/api/v1/library/scan", headers={"Cookie": cookie}).json
        if scan["finished"] and not scan["running"]:
            return
        time.sleep(0.5)


def put_people(database):
    """Accounts that are signed in and have watched for years. Their cookies."""
    now = int(time.time() * 1000)
    cookies = []
    with sqlite3.connect(database) as db:
        titles = db.execute("SELECT title.id, file.id FROM title JOIN file ON file.title = title.id").fetchall()
        hashed = db.execute("SELECT password FROM user").fetchone()[0]
        for n in range(PEOPLE):
            user, token = f"bench{n:015d}", base64.urlsafe_b64encode(random.randbytes(32)).rstrip(b"=").decode()
            cookies.append(f"matinee_session={token}")
            db.execute("INSERT INTO user(id, name, folded, password, created_ms) VALUES(?, ?, ?, ?, ?)",
                       (user, f"person {n}", f"person {n}", hashed, now))
            db.execute("INSERT INTO session(id, hash, user, created_ms, seen_ms) VALUES(?, ?, ?, ?, ?)",
                       (f"sess{n:016d}", hashlib.blake2b(token.encode(), digest_size=32).digest(), user, now, now))
            seen = random.sample(titles, BEGUN + WATCHED + WANTED)
            db.executemany("INSERT INTO progress VALUES(?, ?, ?, ?, 6000000, ?, 0)",
                           [(user, item, file, random.randint(60_000, 4_000_000), now - random.randint(0, 10**10))
                            for item, file in seen[:BEGUN]])
            db.executemany("INSERT INTO watched VALUES(?, ?, ?)",
                           [(user, item, now - random.randint(0, 10**10)) for item, _ in seen[BEGUN:BEGUN + WATCHED]])
            db.executemany("INSERT INTO watchlist VALUES(?, ?, ?)",
                           [(user, item, now) for item, _ in seen[BEGUN + WATCHED:]])
            db.executemany("INSERT INTO history(user, item, file, began_ms, at_ms, position_ms, duration_ms, is_whole)"
                           " VALUES(?, ?, ?, ?, ?, 1, 6000000, 1)",
                           [(user, item, file, now, now) for item, file in seen[:BEGUN + WATCHED]])
    return cookies, titles


class Client:
    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def ms(self, path, cookie):
        began = time.perf_counter()
        self.connection.request("GET", path, headers={"Cookie": cookie})
        got = self.connection.getresponse()
        body = got.read()
        took = (time.perf_counter() - began) * 1000
        assert got.status == 200, (path, got.status, body[:300])
        return took, json.loads(body)


def typed(word):
    return [word[:n] for n in range(1, min(len(word), 8) + 1)]


def row(what, took, select=()):
    took = sorted(took)
    return {"what": what, "median_ms": round(statistics.median(took), 2), "p99_ms": round(took[len(took) * 99 // 100], 2),
            "most_ms": round(took[-1], 2), **({"select_ms": round(statistics.median(select), 2)} if select else {})}


def timed(db, sql, values):
    began = time.perf_counter()
    db.execute(sql, values).fetchall()
    return (time.perf_counter() - began) * 1000


def questions(server, cookies, database):
    client, rows = Client(server), []
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    pages, selects = [], []
    for _ in range(ROUNDS):
        pages.append(client.ms(f"/api/v1/library?limit=100&offset={random.randrange(TITLES)}", random.choice(cookies))[0])
        selects.append(timed(db, "SELECT * FROM title ORDER BY sort, id LIMIT 100 OFFSET ?", (random.randrange(TITLES),)))
    rows.append(row("a page of the library, from anywhere", pages, selects))
    took, cursor = [], ""
    for _ in range(ROUNDS):
        ms, page = client.ms(f"/api/v1/library?limit=100{cursor}", cookies[0])
        took.append(ms)
        cursor = f"&cursor={urllib.parse.quote(page['next'])}" if page["next"] else ""
    rows.append(row("the next page", took))
    took = [client.ms("/api/v1/library?limit=100&sort=added", random.choice(cookies))[0] for _ in range(ROUNDS)]
    rows.append(row("the latest", took))
    letters, selects = {}, []
    for _ in range(ROUNDS // 3):
        word = " ".join(random.sample(WORDS, 2))
        for part in typed(word):
            ms = client.ms("/api/v1/library?limit=24&q=" + urllib.parse.quote(part), random.choice(cookies))[0]
            letters.setdefault(len(part), []).append(ms)
        selects.append(timed(db, "SELECT * FROM title WHERE folded LIKE ? ORDER BY sort, id LIMIT 24", (f"%{word[:4]}%",)))
    rows.append(row("a search as one types, all letters", sum(letters.values(), []), selects))
    rows += [row(f"a search of {n} letters", took) for n, took in sorted(letters.items())]
    took = [client.ms("/api/v1/continue", random.choice(cookies))[0] for _ in range(ROUNDS)]
    rows.append(row("what one goes on watching", took))
    took = [client.ms("/api/v1/history?limit=50", random.choice(cookies))[0] for _ in range(ROUNDS)]
    rows.append(row("what one has watched", took))
    db.close()
    return rows


SCRIPT = """
local cookies, items, n = {{{cookies}}}, {{{items}}}, 0
function request()
  n = n + 1
  local body = string.format('{{"position":%d,"duration":6000}}', 60 + n % 4000)
  return wrk.format("PUT", "/api/v1/progress/" .. items[n % #items + 1],
    {{["Content-Type"] = "application/json", ["Cookie"] = cookies[n % #cookies + 1]}}, body)
end
"""


def reports(server, cookies, titles, folder):
    script = folder / "reports.lua"
    script.write_text(SCRIPT.format(cookies=",".join(f'"{c}"' for c in cookies[:200]),
                                    items=",".join(f'"{item}"' for item, _ in titles[:5000])))
    before = common.cpu_s(server.process.pid)
    said = subprocess.run(["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", script, server.url], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    return rate, (common.cpu_s(server.process.pid) - before) / SECONDS


def bare_rate(database, folder, titles):
    """One transaction a report, each on the disk before the next begins, as the server's own are."""
    copy = folder / "copy.db"
    shutil.copy(database, copy)
    db = sqlite3.connect(copy, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    n, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < SECONDS:
        item, file = titles[n % 5000]
        db.execute("INSERT INTO progress VALUES(?, ?, ?, ?, 6000000, ?, 0) ON CONFLICT(user, item) DO UPDATE SET"
                   " position_ms = excluded.position_ms, at_ms = excluded.at_ms",
                   (f"bench{n % 200:015d}", item, file, n, n))
        n += 1
    db.close()
    return n / spent


def main():
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as made:
        folder = pathlib.Path(made)
        films, data = folder / "films", folder / "data"
        films.mkdir()
        data.mkdir()
        make_films(films)
        began = time.perf_counter()
        with Server(films, auth="accounts", data=str(data), settings=SETTINGS) as server:
            got = server.ask("POST", "/api/v1/setup", {"username": "owner", "password": PASSWORD})
            await_walk(server, got.header("set-cookie").split(";")[0])
        walked = time.perf_counter() - began
        database = data / "matinee.db"
        cookies, titles = put_people(database)
        began = time.perf_counter()
        with Server(films, auth="accounts", data=str(data), settings=SETTINGS) as server:
            started = time.perf_counter() - began
            await_walk(server, cookies[0])
            rows = questions(server, cookies, database)
            rss = common.memory_kb(server.process.pid, "Rss")
            bare = bare_rate(database, folder, titles)
            rate, cores = reports(server, cookies, titles, folder)
        with sqlite3.connect(database) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    print(json.dumps({"titles": TITLES, "people": PEOPLE, "first_walk_s": round(walked, 1), "start_s": round(started, 2),
                      "rss_kb": rss, "reports_per_s": round(rate), "reports_cores": round(cores, 2),
                      "bare_transactions_per_s": round(bare), "reports_ratio": round(rate / bare, 2),
                      "questions": rows}, indent=1))


if __name__ == "__main__":
    main()
