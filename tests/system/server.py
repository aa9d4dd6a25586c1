# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server for a test: its own data folder, a free port, real HTTP; gone without a trace."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("MATINEE_BIN", str(ROOT / "build" / "matinee"))
FULL = bool(os.environ.get("FULL"))
# Sanitized builds are several times slower: what waits, waits longer there.
SLOW = 4 if "sanitized" in BIN or "threads" in BIN else 1


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name, default=None):
        return self.headers.get(name.lower(), default)


class Server:
    """`with Server(films) as s:` starts it over a folder of films, signed in as nobody needs to."""

    def __init__(self, folder, settings=None, auth="none", data=None, environment=None,
                 folders=None, wrapper=()):
        self.folders = [str(f) for f in (folders or ([folder] if folder else []))]
        # Cores for everybody: who is admitted to fewer says test_admission. Storyboards and fingerprints
        # would be made beside whatever a test looks at: those that are about them say so.
        self.settings = {"library.settle_s": 0, "library.rescan_s": 1, "media.cores": 1000,
                         "hls.storyboard_bytes": 0, "hls.fingerprint_bytes": 0,
                         **(settings or {})}
        self.auth = auth
        self.data = data or tempfile.mkdtemp(prefix="matinee-data-")
        self.owns_data = data is None
        self.environment = environment or {}
        self.wrapper = list(wrapper)  # a command that ends by becoming the server
        self.process = None
        self.log = []

    def start(self):
        command = [*self.wrapper, BIN, "serve", "--data", self.data, "--listen", "127.0.0.1:0",
                   "--auth", self.auth]
        for folder in self.folders:
            command += ["--library", folder]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **self.environment})
        threading.Thread(target=self._read_log, daemon=True).start()
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.process.wait(10)
            time.sleep(0.1)
            raise RuntimeError(f"server said {line!r}\n" + "".join(self.log))
        self.url = line.split()[2]
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))

    def stop(self, kill=False):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait(30)
        code = self.process.returncode if self.process else None
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        code = self.stop()
        if self.owns_data:
            shutil.rmtree(self.data, ignore_errors=True)
        log = "".join(self.log)
        if kind is not None:
            print(log[-6000:])
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-6000:]
        assert "ERROR: LeakSanitizer" not in log, log[-6000:]
        if kind is None:
            assert code == 0, f"server ended with {code}\n{log[-4000:]}"

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, timeout=60 * SLOW, connection=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        own = connection is None
        connection = connection or self.connect(timeout)
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            # Of a header that comes twice the first: the session's cookie goes before others.
            return Answer(got.status, {k.lower(): v for k, v in reversed(got.getheaders())}, got.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def library(self, wait_s=120):
        """All titles, once every file has been looked at."""
        deadline = time.monotonic() + wait_s * SLOW
        while True:
            # The scan first: what it had found by then is in the list that is read after it.
            scan = self.get("/api/v1/library/scan").json
            items, cursor = [], None
            while True:
                path = "/api/v1/library?limit=100" + (f"&cursor={cursor}" if cursor else "")
                page = self.get(path)
                assert page.status == 200, page.body
                items += page.json["items"]
                cursor = page.json["next"]
                if not cursor:
                    break
            for show in items:
                if show["kind"] == "show":
                    show["episodes"] = self.get(f"/api/v1/titles/{show['id']}/episodes").json["items"]
            states = [f["state"] for t in parts_of(items) for f in t["files"]]
            seen = scan["finished"] and not scan["running"]
            if seen and not any(s in ("new", "waiting", "probing") for s in states):
                return items
            assert time.monotonic() < deadline, (scan, items)
            time.sleep(0.05)

    def files(self, **more):
        """{name: (file id, state, title)}"""
        return {f["name"]: (f["id"], f["state"], t)
                for t in parts_of(self.library(**more)) for f in t["files"]}

    def metrics(self):
        return self.get("/metrics").text

    def pids(self):
        """All processes below the server, as {pid: command line}."""
        found = {}
        parents = {int(entry.name): parent_of(entry.name)
                   for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()}

        def below(pid):
            for child, parent in parents.items():
                if parent == pid and child not in found:
                    try:
                        found[child] = pathlib.Path(f"/proc/{child}/cmdline").read_text()
                    except OSError:
                        continue
                    below(child)
        below(self.process.pid)
        return found

    def await_trial(self):
        """Until the machine was measured: it is, a second after the start."""
        deadline = time.monotonic() + 30 * SLOW
        while not any(" trial " in line for line in self.log):
            assert time.monotonic() < deadline, self.log[-5:]
            time.sleep(0.1)

    def film_pids(self):
        """The processes that hold a film; not the one that waits for one."""
        def holds(pid):
            try:
                return pathlib.Path(f"/proc/{pid}/comm").read_text() == "matinee-film\n"
            except OSError:
                return False

        return [pid for pid in self.pids() if holds(pid)]


def parts_of(titles):
    """Those that have files: of a show its episodes."""
    return [part for title in titles for part in title.get("episodes", [title])]


def parent_of(pid):
    """None: it is no more."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return None


def listening_line_is_right(line):
    return re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", line) is not None
