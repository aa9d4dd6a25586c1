# SPDX-License-Identifier: GPL-3.0-or-later
"""A URL that somebody names never leads to this machine or its networks: whatever way it is written,
through names, redirects and answers of DNS that change. What counts is who was connected to."""

import itertools
import socket
import types

import pytest

from outside import Inside, Origin, World, own_addresses, path_of, redirect
from server import FULL, Server

OUTSIDE = "93.184.216.34"  # arrives at the origin
NOWHERE = "93.184.216.40"  # of the world outside, and cannot be reached
OURS = "93.184.216.35"  # an interface of this machine has it
HOST_NAME = socket.gethostname()

NAMES = {
    "outside.test": [OUTSIDE], "nowhere.test": [NOWHERE], "ours.test": [OURS],
    HOST_NAME: ["127.0.1.1"], "ip6-localhost": ["::1"], "localhost6": ["::1"],
    "loop4.test": ["127.0.0.1"], "loop6.test": ["::1"], "both.test": ["127.0.0.1,::1"],
    "private.test": ["192.168.1.1"], "unique.test": ["fd12::1"], "cloud.test": ["169.254.169.254"],
    "mapped.test": ["::ffff:127.0.0.1"], "nat64.test": ["64:ff9b::7f00:1"], "zero.test": ["0.0.0.0"],
    "127.0.0.1.spelled.test": ["127.0.0.1"], "localhost.": ["127.0.0.1"], "127.0.0.1.": ["127.0.0.1"],
    "2130706433.": ["127.0.0.1"],
    "last.test": [f"{NOWHERE},127.0.0.1"], "first.test": [f"127.0.0.1,{NOWHERE}"],
    "one-of-two.test": [f"127.0.0.1,{OUTSIDE}"],
    **{f"{name}-{entry}.test": [OUTSIDE, "127.0.0.1"]
       for name in ("turned", "turning", "cached")
       for entry in ("stream", "validate", "links", "torrent")},
}

# (what it is, URL, words of the refusal: one of those between bars). PORT: where the forbidden place
# listens, ALLOWED: the port of the allowed server, SELF: our own.
ADDRESSES = [
    ("plain", "http://127.0.0.1:PORT/", "127.0.0.1"),
    ("another loopback", "http://127.9.8.7:PORT/", "127.9.8.7"),
    ("upper case scheme", "HTTP://127.0.0.1:PORT/", "127.0.0.1"),
    ("https", "https://127.0.0.1:PORT/", "127.0.0.1"),
    ("decimal", "http://2130706433:PORT/", "127.0.0.1"),
    ("hexadecimal", "http://0x7f000001:PORT/", "127.0.0.1"),
    ("upper hexadecimal", "http://0X7F000001:PORT/", "127.0.0.1"),
    ("octal", "http://017700000001:PORT/", "127.0.0.1"),
    ("dotted octal", "http://0177.0.0.01:PORT/", "127.0.0.1"),
    ("dotted hexadecimal", "http://0x7f.0x0.0x0.0x1:PORT/", "127.0.0.1"),
    ("mixed", "http://0x7f.0.01:PORT/", "127.0.0.1"),
    ("two parts", "http://127.1:PORT/", "127.0.0.1"),
    ("three parts", "http://127.0.1:PORT/", "127.0.0.1"),
    ("leading zeros", "http://127.000.000.001:PORT/", "127.0.0.1"),
    ("zero", "http://0:PORT/", "0.0.0.0"),
    ("all zeros", "http://0.0.0.0:PORT/", "0.0.0.0"),
    ("trailing dot", "http://127.0.0.1.:PORT/", "127.0.0.1"),
    ("trailing dot, decimal", "http://2130706433.:PORT/", "127.0.0.1"),
    ("percent-encoded digits", "http://%31%32%37.0.0.1:PORT/", "127.0.0.1"),
    ("percent-encoded dots", "http://127%2e0%2e0%2e1:PORT/", "127.0.0.1"),
    ("percent-encoded number", "http://%32130706433:PORT/", "two ways|127.0.0.1"),
    ("percent-encoded octal", "http://%30177.0.0.1:PORT/", "two ways|127.0.0.1"),
    ("percent-encoded twice", "http://%2531%2532%2537.0.0.1:PORT/", "ASCII"),
    ("full-width digits", "http://１２７.０.０.１:PORT/", "ASCII"),
    ("circled digits", "http://①②⑦.⓪.⓪.①:PORT/", "ASCII"),
    ("mathematical digits", "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏:PORT/", "ASCII"),
    ("superscript digits", "http://¹²⁷.⁰.⁰.¹:PORT/", "ASCII"),
    ("ideographic dots", "http://127。0。0。1:PORT/", "ASCII"),
    ("full-width dots", "http://127．0．0．1:PORT/", "ASCII"),
    ("half-width dots", "http://127｡0｡0｡1:PORT/", "ASCII"),
    ("encoded ideographic dots", "http://127%E3%80%820%E3%80%820%E3%80%821:PORT/", "ASCII"),
    ("soft hyphen", "http://127.0\u00ad.0.1:PORT/", "ASCII"),
    ("zero width space", "http://127.0.0\u200b.1:PORT/", "ASCII"),
    ("six", "http://[::1]:PORT/", "::1"),
    ("six in full", "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/", "::1"),
    ("six of zeros", "http://[::]:PORT/", "::"),
    ("six without brackets", "http://::1:PORT/", ""),
    ("six with a zone", "http://[::1%25lo]:PORT/", "::1"),
    ("mapped", "http://[::ffff:127.0.0.1]:PORT/", "127.0.0.1"),
    ("mapped in hexadecimal", "http://[::ffff:7f00:1]:PORT/", "127.0.0.1"),
    ("mapped in full", "http://[0:0:0:0:0:ffff:7f00:0001]:PORT/", "127.0.0.1"),
    ("mapped private", "http://[::ffff:192.168.1.1]:PORT/", "192.168.1.1"),
    ("mapped zero", "http://[::ffff:0.0.0.0]:PORT/", "0.0.0.0"),
    ("compatible", "http://[::127.0.0.1]:PORT/", "::127.0.0.1"),
    ("compatible in hexadecimal", "http://[::7f00:1]:PORT/", "::127.0.0.1"),
    ("translated", "http://[::ffff:0:127.0.0.1]:PORT/", "::ffff:0"),
    ("NAT64", "http://[64:ff9b::127.0.0.1]:PORT/", "64:ff9b::7f00:1"),
    ("NAT64 of a private one", "http://[64:ff9b::a00:1]:PORT/", "64:ff9b::a00:1"),
    ("local NAT64", "http://[64:ff9b:1::7f00:1]:PORT/", "64:ff9b:1::7f00:1"),
    ("6to4", "http://[2002:7f00:1::]:PORT/", "2002:7f00:1::"),
    ("6to4 of a private one", "http://[2002:c0a8:101::1]:PORT/", "2002:c0a8:101::1"),
    ("Teredo", "http://[2001:0:7f00:1::]:PORT/", "2001:0:7f00:1::"),
    ("site-local", "http://[fec0::1]:PORT/", "fec0::1"),
    ("unique local", "http://[fc00::1]:PORT/", "fc00::1"),
    ("unique local, fd", "http://[fdff:ffff::1]:PORT/", "fdff:ffff::1"),
    ("link-local", "http://[fe80::1]:PORT/", "fe80::1"),
    ("link-local with a zone", "http://[fe80::1%25lo]:PORT/", "fe80::1"),
    ("link-local with a bare zone", "http://[fe80::1%lo]:PORT/", "fe80::1"),
    ("multicast six", "http://[ff02::1]:PORT/", "ff02::1"),
    ("documentation six", "http://[2001:db8::1]:PORT/", "2001:db8::1"),
    ("discard", "http://[100::1]:PORT/", "100::1"),
    ("private 10", "http://10.0.0.1:PORT/", "10.0.0.1"),
    ("private 172.16", "http://172.16.0.1:PORT/", "172.16.0.1"),
    ("private 172.31", "http://172.31.255.254:PORT/", "172.31.255.254"),
    ("private 192.168", "http://192.168.0.1/", "192.168.0.1"),
    ("private, decimal", "http://3232235777:PORT/", "192.168.1.1"),
    ("behind a carrier", "http://100.64.0.1:PORT/", "100.64.0.1"),
    ("what clouds tell", "http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
    ("what clouds tell, decimal", "http://2852039166/latest/", "169.254.169.254"),
    ("what clouds tell, six", "http://[fd00:ec2::254]/latest/", "fd00:ec2::254"),
    ("protocol assignments", "http://192.0.0.8:PORT/", "192.0.0.8"),
    ("documentation 1", "http://192.0.2.1:PORT/", "192.0.2.1"),
    ("documentation 2", "http://198.51.100.1:PORT/", "198.51.100.1"),
    ("documentation 3", "http://203.0.113.1:PORT/", "203.0.113.1"),
    ("benchmarks", "http://198.18.0.1:PORT/", "198.18.0.1"),
    ("benchmarks, the end", "http://198.19.255.255:PORT/", "198.19.255.255"),
    ("multicast", "http://224.0.0.1:PORT/", "224.0.0.1"),
    ("reserved", "http://240.0.0.1:PORT/", "240.0.0.1"),
    ("broadcast", "http://255.255.255.255:PORT/", "255.255.255.255"),
    ("this network", "http://0.1.2.3:PORT/", "0.1.2.3"),
    ("global, and ours", f"http://{OURS}:PORT/", OURS),
    ("global, ours and mapped", f"http://[::ffff:{OURS}]:PORT/", OURS),
    *((f"ours {i}", f"http://{f'[{a}]' if ':' in a else a}:PORT/".replace("%", "%25"),
       a.partition("%")[0]) for i, a in enumerate(own_addresses())),
]
BY_NAME = [
    ("localhost", "http://localhost:PORT/", ""),
    ("LOCALHOST.", "http://LOCALHOST.:PORT/", ""),
    ("below localhost", "http://a.b.localhost:PORT/", ""),
    ("localhost6", "http://localhost6:PORT/", "::1"),
    ("ip6-localhost", "http://ip6-localhost:PORT/", "::1"),
    ("this machine", f"http://{HOST_NAME}:PORT/", "127.0."),
    ("a name of loopback", "http://loop4.test:PORT/", "127.0.0.1"),
    ("a name of loopback, six", "http://loop6.test:PORT/", "::1"),
    ("a name of both", "http://both.test:PORT/", "which is no address"),
    ("a name in upper case", "http://LOOP4.TEST:PORT/", "127.0.0.1"),
    ("a name, full-width", "http://ｌｏｏｐ４.test:PORT/", "ASCII"),
    ("a name beyond ASCII", "http://müller.test/", "xn--"),
    ("a name, percent-encoded", "http://%6coop4.test:PORT/", "127.0.0.1"),
    ("an address in a name", "http://127.0.0.1.spelled.test:PORT/", "127.0.0.1"),
    ("a name of a private one", "http://private.test/", "192.168.1.1"),
    ("a name of a unique local one", "http://unique.test/", "fd12::1"),
    ("a name of a cloud's", "http://cloud.test/", "169.254.169.254"),
    ("a name of a mapped one", "http://mapped.test:PORT/", "127.0.0.1"),
    ("a name by NAT64", "http://nat64.test:PORT/", "64:ff9b::7f00:1"),
    ("a name of zeros", "http://zero.test:PORT/", "0.0.0.0"),
    ("a name of ours", "http://ours.test:PORT/", OURS),
    ("several, the last of them inside", "http://last.test:PORT/", "127.0.0.1"),
    ("several, the first of them inside", "http://first.test:PORT/", "127.0.0.1"),
    ("another name of an allowed place", "http://loop4.test:ALLOWED/film", "127.0.0.1"),
    ("localhost at an allowed port", "http://localhost:ALLOWED/film", "which is no address"),
    ("ourselves", "http://127.0.0.1:SELF/api/v1/server", "127.0.0.1"),
    ("ourselves by name", "http://localhost:SELF/api/v1/server", "which is no address"),
]
FORMS = [
    ("user", "http://user@127.0.0.1:PORT/", "user"),
    ("user and password", "http://user:word@127.0.0.1:PORT/", "user"),
    ("a host as user", "http://outside.test@127.0.0.1:PORT/", "user"),
    ("a host and port as user", "http://outside.test:80@127.0.0.1:PORT/", "user"),
    ("empty user", "http://@127.0.0.1:PORT/", ""),
    ("user of an allowed place", "http://user@127.0.0.1:ALLOWED/film", "user"),
    ("two at signs", "http://a@outside.test@127.0.0.1:PORT/", "user"),
    ("a host behind the fragment", "http://127.0.0.1:PORT#@outside.test/", "127.0.0.1"),
    ("a host behind the query", "http://127.0.0.1:PORT?@outside.test/", "127.0.0.1"),
    ("an encoded at sign", "http://outside.test%40127.0.0.1:PORT/", ""),
    ("an encoded slash", "http://127.0.0.1%2f.outside.test:PORT/", ""),
    ("an encoded fragment", "http://127.0.0.1%23.outside.test:PORT/", ""),
    ("an encoded end", "http://127.0.0.1%00.outside.test:PORT/", ""),
    ("an encoded line", "http://127.0.0.1%0d%0a.outside.test:PORT/", ""),
    ("a fragment as host", "http://#127.0.0.1:PORT/", ""),
    ("backslashes", "http:\\\\127.0.0.1:PORT\\", ""),
    ("slash and backslash", "http:/\\127.0.0.1:PORT/", ""),
    ("backslash in the host", "http://outside.test\\@127.0.0.1:PORT/", ""),
    ("backslash after the host", "http://127.0.0.1:PORT\\@outside.test/", ""),
    ("one slash", "http:/127.0.0.1:PORT/", ""),
    ("three slashes", "http:///127.0.0.1:PORT/", ""),
    ("many slashes", "http://////127.0.0.1:PORT/", ""),
    ("no slash", "http:127.0.0.1:PORT/", ""),
    ("empty host", "http://:PORT/", ""),
    ("no host", "http:///", ""),
    ("blank host", "http:// /", ""),
    ("port too large", "http://127.0.0.1:65537/", ""),
    ("port that wraps", "http://127.0.0.1:4294967376/", ""),
    ("negative port", "http://127.0.0.1:-80/", ""),
    ("port of words", "http://127.0.0.1:80a/", ""),
    ("two ports", "http://127.0.0.1:80:PORT/", ""),
    ("brackets around four", "http://[127.0.0.1]:PORT/", ""),
    ("open bracket", "http://[::1:PORT/", ""),
    ("ssh", "http://127.0.0.1:22/", "port 22"),
    ("mail", f"http://{OUTSIDE}:25/", "port 25"),
    ("domain", "http://outside.test:53/", "port 53"),
    ("port zero", "http://outside.test:0/", "port 0"),
    ("redis", "http://127.0.0.1:6379/", "127.0.0.1"),
    ("tab in the host", "http://127.0.\t0.1:PORT/", ""),
    ("tab in the scheme", "ht\ttp://127.0.0.1:PORT/", ""),
    ("space before", " http://127.0.0.1:PORT/", ""),
    ("space in the host", "http://outside.test 127.0.0.1:PORT/", ""),
    ("a very long URL", "http://127.0.0.1:PORT/" + "a" * 9000, "longer than"),
    ("a very long name", "http://" + "a" * 300 + ".test/", "long"),
    ("file", "file:///etc/passwd", "http"),
    ("file with a host", "file://127.0.0.1/etc/passwd", "http"),
    *((scheme, f"{scheme}://127.0.0.1:PORT/x", "http") for scheme in (
        "ftp", "ftps", "gopher", "dict", "ldap", "ldaps", "tftp", "smb", "scp", "sftp", "telnet", "imap",
        "pop3", "smtp", "rtsp", "rtmp", "mqtt", "ws", "netdoc", "httpx")),
    ("data", "data:video/mp4,x", ""),
    ("javascript", "javascript:alert(1)", ""),
    ("blob", "blob:http://127.0.0.1:PORT/x", ""),
    ("view-source", "view-source:http://127.0.0.1:PORT/", ""),
    ("jar around it", "jar:http://127.0.0.1:PORT!/", ""),
]
# What a redirect cannot say in one line, or what would be a path of the server that said it.
UNREDIRECTED = [
    ("no scheme", "127.0.0.1:PORT/", ""),
    ("protocol-relative", "//127.0.0.1:PORT/", ""),
    ("backslashes alone", "\\\\127.0.0.1:PORT\\", ""),
    ("a line in the host", "http://127.0.0.1\r\n:PORT/", ""),
    ("a line in the path", "http://127.0.0.1:PORT/\r\nHost: outside.test", ""),
    ("a line feed before", "\nhttp://127.0.0.1:PORT/", ""),
    ("an end in the host", "http://127.0.0.1\0.outside.test:PORT/", ""),
    ("an end in the path", "http://outside.test/\0", ""),
]
REDIRECTED = [
    ("protocol-relative", "//127.0.0.1:PORT/", "127.0.0.1"),
    ("protocol-relative, decimal", "//2130706433:PORT/", "127.0.0.1"),
    ("protocol-relative with a user", "//outside.test@127.0.0.1:PORT/", ""),
]
# May lead back to who said it; nowhere else.
RELATIVE = ["/\\127.0.0.1:PORT/", "\\\\127.0.0.1:PORT/", "127.0.0.1:PORT/", "?http://127.0.0.1:PORT/",
            "#http://127.0.0.1:PORT/", "./http://127.0.0.1:PORT/", ""]
TRICKS = ADDRESSES + BY_NAME + FORMS


def through(route):
    """Asks for a URL; (status, words), of which status is 0 where it was told as an answer."""
    def ask(stage, url):
        answer = stage.server.get(path_of(url, route))
        if answer.status == 200 and "valid" in (answer.json if route == "/api/validate" else {}):
            return 200 if answer.json["valid"] else 0, answer.json.get("reason", "")
        return answer.status, answer.json["detail"] if answer.status >= 400 else ""
    return ask


def posted(route, field):
    """The same, of a URL in a body. That what is there is no film or torrent comes after asking."""
    def ask(stage, url):
        answer = stage.server.ask("POST", route, {field: url})
        if answer.status in (200, 201, 422):
            return 200, answer.json.get("detail", "")
        assert answer.json.get("field", field) in (field, "url", "magnet"), answer.body
        return answer.status, answer.json["detail"]
    return ask


# Whatever takes a URL from outside and asks for it.
ENTRIES = {"stream": through("/stream"), "validate": through("/api/validate"),
           "links": posted("/api/v1/links", "url"),
           "torrent": posted("/api/v1/downloads", "torrent_url")}


@pytest.fixture(scope="module")
def stage():
    inside, origin = Inside(), Origin.start()
    port = origin.server_address[1]
    world = World(NAMES, {OUTSIDE: port, **{a: inside.port for a in own_addresses()}}, own=OURS)
    proxy = f"http://127.0.0.1:{inside.port}"
    environment = {name: proxy for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                            "ALL_PROXY")}
    with Server(None, settings={"fetch.allow": f"127.0.0.1:{port}", "torrent.listen": "127.0.0.1:0",
                                "torrent.dht": "false"},
                environment={**world.environment(), **environment}) as server:
        yield types.SimpleNamespace(server=server, inside=inside, world=world, port=port,
                                    allowed=f"http://127.0.0.1:{port}")
    origin.shutdown()
    origin.server_close()
    inside.close()
    world.close()


def filled(stage, url):
    return (url.replace("PORT", str(stage.inside.port)).replace("ALLOWED", str(stage.port))
            .replace("SELF", str(stage.server.port)))


def asked(stage, entry, url):
    """(status, words, whom it connected to): never to the place inside."""
    before = len(stage.world.seen())
    status, words = ENTRIES[entry](stage, url)
    connected = [line.removeprefix("connect ") for line in stage.world.seen()[before:]
                 if line.startswith("connect ")]
    assert stage.inside.visits == [], connected
    return status, words, connected


def expect_refusal(stage, entry, url, words, may_connect):
    status, said, connected = asked(stage, entry, url)
    assert status in (0, 400, 403, 414), (status, said)
    # A redirect to what is no URL leads to nowhere.
    assert len(said) > 10
    assert any(one in said for one in words.split("|")) or said.endswith("nowhere"), said
    assert set(connected) <= set(may_connect), connected


def cases(tricks, *more):
    """Each trick by each entry and each of `more`; in the plain form each once, by turns."""
    ways = list(itertools.product(ENTRIES, *more))
    every = [(trick, way) for n, trick in enumerate(tricks) for m, way in enumerate(ways)
             if FULL or n % len(ways) == m]
    return pytest.mark.parametrize(
        "url,words,way", [(*trick[1:], way) for trick, way in every],
        ids=["-".join((trick[0], *map(str, way))) for trick, way in every])


each_entry = pytest.mark.parametrize("entry", ENTRIES)


@each_entry
def test_the_world_outside_is_reached(stage, entry):
    """What all the rest stands on: the table works, and not everything is refused."""
    for url in (f"http://{OUTSIDE}/film", "http://outside.test/film", "http://outside.test:8080/film",
                f"http://[::ffff:{OUTSIDE}]/film", "HTTP://OUTSIDE.test/film#a",
                "http://outside.test:443/film", redirect("http://outside.test", 302, "/film")):
        status, words, connected = asked(stage, entry, url)
        assert status == 200, words
        assert OUTSIDE in connected[-1]
    status, _, connected = asked(stage, entry, "http://nowhere.test/film")
    assert status in (0, 502) and connected == [f"{NOWHERE} 80"]


@cases(TRICKS + UNREDIRECTED)
def test_a_trick_reaches_nobody(stage, url, words, way):
    expect_refusal(stage, way[0], filled(stage, url), words, [f"{NOWHERE} {stage.inside.port}"])


@cases([t for t in TRICKS + REDIRECTED if len(t[1]) < 4000],  # a header that is longer is none
       ["allowed", "outside"])
def test_a_redirect_is_judged_as_the_first_was(stage, url, words, way):
    entry, by = way
    origin = stage.allowed if by == "allowed" else "http://outside.test"
    expect_refusal(stage, entry, redirect(origin, 302, filled(stage, url)), words,
                   [f"127.0.0.1 {stage.port}", f"{OUTSIDE} 80", f"{NOWHERE} {stage.inside.port}"])


@cases([(url, url, words) for url, words in (
    ("http://127.0.0.1:PORT/", "127.0.0.1"), ("http://[::1]:PORT/", "::1"),
    ("http://loop4.test:PORT/", "127.0.0.1"), ("https://private.test/", "192.168.1.1"),
    ("file:///etc/passwd", "http"), ("http://u:p@outside.test/", "user"))],
       [301, 302, 303, 307, 308])
def test_each_kind_of_redirect_is_judged(stage, url, words, way):
    entry, status = way
    expect_refusal(stage, entry, redirect(stage.allowed, status, filled(stage, url)), words,
                   [f"127.0.0.1 {stage.port}"])


@each_entry
@pytest.mark.parametrize("status", [300, 304, 305, 306, 309])
def test_what_is_no_redirect_leads_nowhere(stage, entry, status):
    url = redirect(stage.allowed, status, filled(stage, "http://127.0.0.1:PORT/"))
    got, words, connected = asked(stage, entry, url)
    assert got in (0, 502) and str(status) in words
    assert set(connected) <= {f"127.0.0.1 {stage.port}"}


@each_entry
@pytest.mark.parametrize("url", RELATIVE)
def test_a_relative_redirect_stays_with_who_said_it(stage, entry, url):
    got, words, connected = asked(stage, entry, redirect(stage.allowed, 302, filled(stage, url)))
    assert got != 200 and words
    assert set(connected) <= {f"127.0.0.1 {stage.port}"}


@each_entry
def test_chains_end_where_they_lead_inside(stage, entry):
    url = filled(stage, "http://127.0.0.1:PORT/")
    for origin in ("http://outside.test", stage.allowed, "http://outside.test:8080"):
        url = redirect(origin, 307, url)
    expect_refusal(stage, entry, url, "127.0.0.1",
                   [f"127.0.0.1 {stage.port}", f"{OUTSIDE} 80", f"{OUTSIDE} 8080"])


@each_entry
def test_from_outside_an_allowed_place_may_be_reached(stage, entry):
    """What an admin allowed is allowed to everybody: also by way of a redirect."""
    got, words, _ = asked(stage, entry, redirect("http://outside.test", 302, stage.allowed + "/film"))
    assert got == 200, words


@each_entry
def test_of_several_addresses_the_one_outside_is_asked(stage, entry):
    got, words, connected = asked(stage, entry, "http://one-of-two.test/film")
    assert got == 200, words
    assert connected == [f"{OUTSIDE} 80"]


@each_entry
def test_an_address_of_the_name_before_is_not_blamed(stage, entry):
    """The first name has one inside; the one that cannot be reached has none."""
    url = redirect("http://one-of-two.test", 302, "http://nowhere.test/film")
    got, words, _ = asked(stage, entry, url)
    assert got in (0, 502) and "127.0.0.1" not in words, words


# A name that leads outside while it is judged, and inside afterwards. curl keeps an answer for a minute
# for each name and port: another port asks again.

@each_entry
def test_a_name_that_turns_is_judged_by_what_it_leads_to(stage, entry):
    name = f"turned-{entry}.test"
    status, words, connected = asked(stage, entry, f"http://{name}/film")
    assert status == 200 and connected == [f"{OUTSIDE} 80"], words
    expect_refusal(stage, entry, f"http://{name}:{stage.inside.port}/", "127.0.0.1", [])
    assert stage.world.seen().count(f"ask {name}") == 2


@each_entry
def test_a_name_that_turns_under_way_is_too(stage, entry):
    name = f"turning-{entry}.test"
    url = redirect(f"http://{name}", 302, f"http://{name}:{stage.inside.port}/")
    expect_refusal(stage, entry, url, "127.0.0.1", [f"{OUTSIDE} 80"])
    assert stage.world.seen().count(f"ask {name}") == 2


@each_entry
def test_a_name_that_turned_is_never_followed(stage, entry):
    """The same name and port, on a connection each."""
    for _ in range(4):
        _, _, connected = asked(stage, entry, f"http://cached-{entry}.test:8080/film")
        assert set(connected) <= {f"{OUTSIDE} 8080"}


@each_entry
def test_nobody_says_that_he_is_elsewhere(stage, entry):
    for _ in range(2):
        status, words, connected = asked(stage, entry, f"http://outside.test/alt?{stage.inside.port}")
        assert status == 200 and connected == [f"{OUTSIDE} 80"], words
