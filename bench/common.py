# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benches share: the build they measure, what processes use, nginx with one worker."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
os.environ["MATINEE_BIN"] = str(BUILD / "matinee")
TICKS = os.sysconf("SC_CLK_TCK")
NICE = 5  # media processes run above the server's niceness; so does ffmpeg here


def number(place, default):
    """The argument at `place`, counted from the program's name."""
    return int(sys.argv[place]) if len(sys.argv) > place else default


def cpu_s(pid, with_reaped=False):
    """CPU of a process, its threads and the kernel for it; `with_reaped`: and its dead children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(f) for f in fields[11:15 if with_reaped else 13]) / TICKS


def all_cpu_s(server):
    """CPU of a server and all below it, living or dead."""
    total = 0
    for pid in [server.process.pid, *server.pids()]:
        try:
            total += cpu_s(pid, with_reaped=True)
        except OSError:
            continue  # gone meanwhile: its parent has it
    return total


def memory_kb(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def peak_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


class Run:
    """A program that runs to its end: seconds, CPU seconds, the most memory it had."""

    def __init__(self, command):
        began = time.perf_counter()
        process = subprocess.Popen(["nice", "-n", str(NICE), *map(str, command)],
                                   stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        self.seconds = time.perf_counter() - began
        self.cpu_s = used.ru_utime + used.ru_stime
        self.peak_kb = used.ru_maxrss


def put_in_library(folder, film):
    """The film under its own name in a folder that a server may be given."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / film.name).exists():
        (folder / film.name).hardlink_to(film)
    return folder


def forget_cache(data):
    """Of a server that does not run: the segments it has made."""
    shutil.rmtree(pathlib.Path(data) / "cache", ignore_errors=True)


NGINX = """worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m;
  keepalive_requests 100000000; open_file_cache max=10000;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }}
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """Serves the files of a folder, until it is closed."""

    def __init__(self, root):
        self.folder = tempfile.TemporaryDirectory(prefix="matinee-bench-")
        folder = pathlib.Path(self.folder.name)
        folder.chmod(0o755)
        self.port = free_port()
        (folder / "conf").write_text(NGINX.format(folder=folder, root=root, port=self.port))
        self.master = subprocess.Popen(["nginx", "-c", str(folder / "conf")],
                                       stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}/"
        children = pathlib.Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children")
        deadline = time.monotonic() + 5
        while not children.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.worker = int(children.read_text().split()[0])

    def close(self):
        self.master.terminate()
        self.master.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
