# SPDX-License-Identifier: GPL-3.0-or-later
"""One film as a player asks for it."""

import hls
from server import FULL, SLOW

PLAIN_RUNGS = 2
ALL_CAPS = "h264,hevc,hevc10,av1,av1-10,vp9,vp9-10,aac,ac3,eac3,flac,opus,mp3,surround,hdr"


class Film:
    """All that the server says of one film."""

    def __init__(self, server, name, client="mse"):
        self.server = server
        self.id, self.state, self.title = server.known[name]
        assert self.state == "ready", (name, self.state, self.title.get("reason"))
        self.base = f"/hls/{self.id}/"
        answer = server.get(f"{self.base}master.m3u8?client={client}&caps={ALL_CAPS}")
        assert answer.status == 200, answer.body
        self.master = hls.MasterPlaylist(answer.text)
        hls.check_master_playlist(self.master)
        self.about = server.get(f"/api/v1/files/{self.id}").json

    def uris(self):
        """{rendition: playlist URI} of picture and sound"""
        found = {}
        for uri in [v.uri for v in self.master.variants] + \
                [m["URI"] for m in self.master.media if "URI" in m and m["TYPE"] == "AUDIO"]:
            found[uri.split("/")[0]] = uri
        return found

    def subtitles(self):
        """The EXT-X-MEDIA lines of subtitles, as attributes."""
        return [m for m in self.master.media if m["TYPE"] == "SUBTITLES"]

    def renditions(self):
        chosen = sorted(self.uris().items())
        if FULL:
            return chosen
        rungs = [c for c in chosen if c[0].startswith("video-") and "copy" not in c[0]]
        return [c for c in chosen if c not in rungs] + rungs[-PLAIN_RUNGS:]

    def playlist(self, uri):
        answer = self.server.get(self.base + uri)
        assert answer.status == 200, answer.body
        playlist = hls.MediaPlaylist(answer.text)
        hls.check_media_playlist(playlist)
        return playlist

    def fetch(self, uri, relative):
        """A segment's bytes, asked again as a player does while the answer is 503."""
        path = self.base + uri.rsplit("/", 1)[0] + "/" + relative
        for _ in range(60 * SLOW):
            answer = self.server.get(path)
            if answer.status != 503:
                break
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return answer.body
