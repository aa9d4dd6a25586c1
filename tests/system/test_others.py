# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in by others, with a fake issuer each of whose words is spoiled in turn."""

import base64
import json
import pathlib
import shutil
import tempfile
import time
import urllib.parse

import pytest
import yaml

from issuer import Issuer, Key
from server import Server
from test_accounts import add, sign_in
from test_openapi import PASSWORD, Checked


@pytest.fixture
def issuer():
    with Issuer() as issuer:
        yield issuer


def providers_of(issuer):
    return [
        {"name": "home", "kind": "oidc", "title": "The house", "issuer": issuer.url, "client_id": issuer.client,
         "client_secret": issuer.secret},
        {"name": "plain", "kind": "oauth", "authorize_url": f"{issuer.url}/authorize",
         "token_url": f"{issuer.url}/token", "userinfo_url": f"{issuer.url}/userinfo",
         "emails_url": f"{issuer.url}/emails", "name_field": "login", "client_id": issuer.client,
         "client_secret": issuer.secret, "scopes": "read:user"},
        {"name": "access", "kind": "access", "issuer": issuer.url, "audience": "the tag"},
    ]


class House:
    """A server whose settings name the issuer, with one administrator."""

    def __init__(self, issuer, providers=None, create=False, auth=None, http=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-others-"))
        given = providers or providers_of(issuer)
        settings = {"auth": {"providers": [{**p, "create": create} for p in given], **(auth or {})}}
        if http:
            settings["http"] = http
        config = self.folder / "matinee.yaml"
        config.write_text(yaml.safe_dump(settings))
        self.server = Server(self.folder, auth="accounts", environment={"MATINEE_CONFIG": str(config)})

    def __enter__(self):
        self.server.__enter__()
        self.owner = Checked(self.server)
        self.owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        return self

    def __exit__(self, *more):
        self.server.__exit__(*more)
        shutil.rmtree(self.folder)


class Browser:
    """Follows what a browser would, with its cookies."""

    def __init__(self, house, headers=None):
        self.server, self.cookies, self.headers = house.server, {}, headers or {}

    def get(self, path, headers=None):
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = self.server.connect()
        connection.request("GET", path, None, sent)
        got = connection.getresponse()
        got.text = got.read().decode()
        for cookie in got.msg.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        connection.close()
        return got

    def come_back(self, issuer, provider="home", change=None, link=""):
        """From /start over the provider to /callback; `change` spoils what the provider sends back."""
        started = self.get(f"/auth/{provider}/start{link}")
        assert started.status == 303, started.text
        _, query = issuer.authorize(started.getheader("location"))
        query = {**query, **(change or {})}
        return self.get(f"/auth/{provider}/callback?" + urllib.parse.urlencode(
            {name: value for name, value in query.items() if value is not None}))

    def me(self):
        got = self.get("/api/v1/me")
        return json.loads(got.text)["username"] if got.status == 200 else None


# --- OpenID Connect ---

def test_an_issuer_vouches_for_a_person(issuer):
    with House(issuer, create=True) as house:
        status = house.owner("GET", "/api/v1/status", 200).json
        assert [p["name"] for p in status["providers"]] == ["home", "plain", "access"]
        browser = Browser(house)
        got = browser.come_back(issuer)
        assert got.status == 303 and got.getheader("location") == "/", got.text
        assert browser.me() == "Dora" and "matinee_flow" not in browser.cookies
        users = house.owner("GET", "/api/v1/users", 200).json["items"]
        [dora] = [u for u in users if u["username"] == "Dora"]
        assert dora["role"] == "member" and not dora["has_password"]
        # again, from another device: the same account, whatever he is called by now
        issuer.claims = {"preferred_username": "Dora the second", "email": "else@example.com"}
        other = Browser(house)
        assert other.come_back(issuer).status == 303 and other.me() == "Dora"
        # another person of that name is another account
        issuer.claims = {"sub": "another"}
        third = Browser(house)
        assert third.come_back(issuer).status == 303 and third.me() == "Dora 2"
        house.owner("PATCH", f"/api/v1/users/{dora['id']}", 200, {"disabled": True})
        issuer.claims = {}
        assert Browser(house).come_back(issuer).status == 403
        actions = [(e["action"], e["object"]) for e in house.owner("GET", "/api/v1/audit", 200).json["items"]]
        assert ("sign-in", "home") in actions and ("account made", "Dora") in actions


def test_who_is_not_known_links_it(issuer):
    """An address says nothing: who has the same one elsewhere does not become him here."""
    with House(issuer) as house:
        add(house.owner, "Dora@example.com")
        stranger = Browser(house)
        got = stranger.come_back(issuer)
        assert got.status == 403 and "link it" in json.loads(got.text)["detail"] and stranger.me() is None
        assert Browser(house).get("/auth/home/start?link=true").status == 403  # nobody is signed in
        browser = Browser(house)
        browser.cookies["matinee_session"] = sign_in(house.server, "dora@example.com").cookie.split("=")[1]
        denied = browser.come_back(issuer, change={"error": "access_denied", "code": None}, link="?link=true")
        assert denied.status == 303 and denied.getheader("location") == "/settings?refused=denied"
        got = browser.come_back(issuer, link="?link=true")
        assert got.status == 303 and got.getheader("location") == "/settings"
        [known] = json.loads(browser.get("/api/v1/auth/identities").text)["items"]
        assert known["provider"] == "home" and known["name"] == "Dora"
        again = Browser(house)
        assert again.come_back(issuer).status == 303 and again.me() == "Dora@example.com"
        # nobody else gets it
        other = Browser(house)
        other.cookies["matinee_session"] = house.owner.cookie.split("=")[1]
        assert other.come_back(issuer, link="?link=true").status == 409
        ask = Checked(house.server)
        ask.cookie = f"matinee_session={browser.cookies['matinee_session']}"
        ask("DELETE", f"/api/v1/auth/identities/{known['id']}", 204)
        ask("DELETE", f"/api/v1/auth/identities/{known['id']}", 404)
        assert Browser(house).come_back(issuer).status == 403


def test_the_only_way_in_is_not_taken_away(issuer):
    with House(issuer, create=True) as house:
        browser = Browser(house)
        assert browser.come_back(issuer).status == 303
        ask = Checked(house.server)
        ask.cookie = f"matinee_session={browser.cookies['matinee_session']}"
        [known] = ask("GET", "/api/v1/auth/identities", 200).json["items"]
        ask("DELETE", f"/api/v1/auth/identities/{known['id']}", 409)
        # with a first password it is one of two
        assert ask("GET", "/api/v1/me", 200).json["has_password"] is False
        ask("PUT", "/api/v1/me/password", 422, {"password": "short"})
        ask("PUT", "/api/v1/me/password", 204, {"password": PASSWORD})
        assert ask("GET", "/api/v1/me", 200).json["has_password"] is True
        wish = {"password": "another long one"}
        assert ask("PUT", "/api/v1/me/password", 400, wish).json["field"] == "current"
        ask("PUT", "/api/v1/me/password", 403, {**wish, "current": "wrong, it is"})
        ask("DELETE", f"/api/v1/auth/identities/{known['id']}", 204)
        sign_in(house.server, "Dora")


LOOKS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_who_looks_at_a_page_is_led_back_to_it(issuer):
    with House(issuer) as house:
        def comes(**more):
            return Browser(house, LOOKS).come_back(issuer, **more)

        def led(got):
            assert got.status == 303, got.text
            return got.getheader("location")

        assert led(comes()) == "/login?refused=unknown"
        assert led(comes(change={"error": "access_denied", "code": None})) == "/login?refused=denied"
        assert led(comes(change={"state": "x"})) == "/login?refused=over"
        assert led(comes(change={"code": "never given"})) == "/login?refused=failed"
        dora = add(house.owner, "dora")
        browser = Browser(house, LOOKS)
        session = sign_in(house.server, "dora").cookie.split("=")[1]
        browser.cookies["matinee_session"] = session
        assert led(browser.come_back(issuer, link="?link=true")) == "/settings"
        other = Browser(house, LOOKS)
        other.cookies["matinee_session"] = house.owner.cookie.split("=")[1]
        assert led(other.come_back(issuer, link="?link=true")) == "/settings?refused=taken"
        assert led(Browser(house, LOOKS).get("/auth/home/start?link=true")) == "/login"
        house.owner("PATCH", f"/api/v1/users/{dora['id']}", 200, {"disabled": True})
        assert led(comes()) == "/login?refused=disabled"
        issuer.is_down = True
    with House(issuer, auth={"emails": ["else@example.com"]}) as house:
        assert led(Browser(house, LOOKS).get("/auth/home/start")) == "/login?refused=unreachable"
        issuer.is_down = False
        assert led(Browser(house, LOOKS).come_back(issuer)) == "/login?refused=address"
        assert "others.refused" in "".join(house.server.log)


def none_token(issuer):
    """Signed by nobody."""
    good = issuer.id_token("x").split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{good[1]}."


def test_each_claim_must_hold(issuer):
    now = int(time.time())
    with House(issuer, create=True) as house:
        for claims in ({"iss": "https://else.example"}, {"aud": "somebody else"}, {"aud": ["x", "y"]},
                       {"aud": [issuer.client, "other"]}, {"aud": [issuer.client, "other"], "azp": "other"},
                       {"exp": now - 100}, {"exp": None}, {"iat": now + 300}, {"nbf": now + 300},
                       {"nonce": "of another sign-in"}, {"nonce": None}, {"sub": None}, {"sub": ""}):
            issuer.claims = claims
            got = Browser(house).come_back(issuer)
            assert got.status == 401, (claims, got.status, got.text)
        # clocks that differ by less than a minute
        for claims in ({"exp": now - 30}, {"iat": now + 30}, {"nbf": now + 30},
                       {"aud": [issuer.client, "other"], "azp": issuer.client}):
            issuer.claims = claims
            assert Browser(house).come_back(issuer).status == 303, claims
        issuer.claims = {}
        for header, key in (({"kid": "k9"}, None), ({}, Key("k1")), ({}, Key("k1", "ES256"))):
            issuer.header, issuer.sign_with = header, key
            assert Browser(house).come_back(issuer).status == 401, header
        issuer.header, issuer.sign_with = {}, None
        for answer in ((200, {"access_token": "x", "id_token": none_token(issuer)}),
                       (200, {"access_token": "x", "id_token": "a.b"}),
                       (400, {"error": "invalid_grant"}), (401, {"error": "invalid_client"})):
            issuer.token_answer = answer
            assert Browser(house).come_back(issuer).status == 401, answer
        for answer in ((200, {"access_token": "x"}), (200, "<html>"), (500, "no")):
            issuer.token_answer = answer
            assert Browser(house).come_back(issuer).status == 502, answer
        issuer.token_answer = None
        assert len(house.owner("GET", "/api/v1/users", 200).json["items"]) == 2  # anna, and who came in rightly


def test_keys_are_renewed(issuer):
    """What signs from now on is not known yet: others are fetched, once a minute at most. The one before stays good
    as long as it is shown."""
    with House(issuer, create=True) as house:
        assert Browser(house).come_back(issuer).status == 303
        issuer.keys.insert(0, Key("k2", "ES256"))
        assert Browser(house).come_back(issuer).status == 401  # asked for less than a minute ago
        issuer.sign_with = issuer.keys[1]
        assert Browser(house).come_back(issuer).status == 303
        assert issuer.asked.count(("GET", "/jwks")) == 1
    issuer.sign_with = None
    with House(issuer, create=True) as house:
        assert Browser(house).come_back(issuer).status == 303


def test_a_sign_in_ends_where_it_was_begun(issuer):
    with House(issuer, create=True) as house:
        browser, other = Browser(house), Browser(house)
        started = browser.get("/auth/home/start")
        _, query = issuer.authorize(started.getheader("location"))
        path = "/auth/home/callback?" + urllib.parse.urlencode(query)
        assert other.get(path).status == 400  # another browser
        assert other.get("/auth/plain/callback?" + urllib.parse.urlencode(query)).status == 400
        assert browser.get(path).status == 303
        assert browser.get(path).status == 400  # once
        for change in ({"state": "x"}, {"state": None}):
            assert Browser(house).come_back(issuer, change=change).status == 400, change
        for change in ({"code": None}, {"code": "never given"}, {"iss": "https://else.example"}):
            assert Browser(house).come_back(issuer, change=change).status == 401, change
        assert Browser(house).come_back(issuer, change={"iss": issuer.url}).status == 303
        denied = Browser(house).come_back(issuer, change={"error": "access_denied", "code": None})
        assert denied.status == 303 and denied.getheader("location") == "/login?refused=denied"
        got = Browser(house).get("/auth/home/start", {"Sec-Fetch-Site": "cross-site"})
        assert got.status == 403  # a page elsewhere begins none


def test_an_issuer_that_is_another_or_down(issuer):
    with House(issuer, create=True) as house:
        issuer.discovery = {"issuer": issuer.url + "/"}
        assert Browser(house).get("/auth/home/start").status == 502
        issuer.discovery = {"authorization_endpoint": None}
        assert Browser(house).get("/auth/home/start").status == 502
        issuer.discovery = {}
        issuer.is_down = True
        assert Browser(house).get("/auth/home/start").status == 502
        issuer.is_down = False
        assert Browser(house).get("/auth/home/start").status == 303
        # what it names inside of this network is not asked: where it is, it was written down
        issuer.discovery = {"token_endpoint": "http://127.0.0.2:9/token"}
        other = House(issuer, create=True)
        with other:
            assert Browser(other).come_back(issuer).status == 502


def test_what_the_token_leaves_out_is_asked_for(issuer):
    issuer.userinfo = {"sub": "248289761001", "email": "dora@example.com", "email_verified": True, "name": "D."}
    issuer.claims = {"email": None, "email_verified": None, "preferred_username": None}
    with House(issuer, auth={"emails": ["dora@example.com"]}) as house:
        browser = Browser(house)
        assert browser.come_back(issuer).status == 303 and browser.me() == "D."
        issuer.userinfo = {**issuer.userinfo, "sub": "somebody else"}
        assert Browser(house).come_back(issuer).status == 401


def test_only_those_whose_address_is_listed(issuer):
    with House(issuer, create=True, auth={"emails": ["dora@example.com"]}) as house:
        assert Browser(house).come_back(issuer).status == 303
        for claims in ({"sub": "2", "email": "else@example.com"}, {"sub": "2", "email_verified": False},
                       {"sub": "2", "email": None}, {"email": "else@example.com"}):
            issuer.claims = claims
            assert Browser(house).come_back(issuer).status == 403, claims


# --- OAuth 2 without it ---

def test_a_provider_of_oauth(issuer):
    issuer.userinfo = {"id": 4711, "login": "dora-codes", "email": None}
    issuer.emails = [{"email": "x@example.com", "verified": False, "primary": True},
                     {"email": "dora@example.com", "verified": True, "primary": False}]
    with House(issuer, auth={"emails": ["dora@example.com"]}) as house:
        browser = Browser(house)
        got = browser.come_back(issuer, "plain")
        assert got.status == 303 and browser.me() == "dora-codes", got.text
        for userinfo in ({"login": "nobody"}, {"id": None}, {"id": [1]}):
            issuer.userinfo = userinfo
            assert Browser(house).come_back(issuer, "plain").status == 401
        issuer.userinfo = {"id": 4712, "login": "x"}
        issuer.emails = issuer.emails[:1]
        assert Browser(house).come_back(issuer, "plain").status == 403


# --- Cloudflare Access ---

def test_cloudflare_access(issuer):
    now = int(time.time())
    with House(issuer, create=True) as house:
        def by(token, **more):
            headers = {"Cf-Access-Jwt-Assertion": token} if token else {}
            return Browser(house).get("/auth/access/start", {**headers, **more}).status

        assert by(issuer.access_token()) == 303
        assert by(issuer.access_token(), **{"Cf-Access-Authenticated-User-Email": "Dora@example.com"}) == 303
        # the header beside it proves nothing, and must not say another thing
        assert by(None, **{"Cf-Access-Authenticated-User-Email": "dora@example.com"}) == 401
        assert by(issuer.access_token(), **{"Cf-Access-Authenticated-User-Email": "else@example.com"}) == 401
        assert by(issuer.access_token("another tag")) == 401
        for claims in ({"iss": "https://else.example"}, {"exp": now - 100}, {"nbf": now + 100}, {"type": "org"},
                       {"email": None}, {"sub": ""}, {"aud": []}, {"iat": now + 100}):
            issuer.claims = claims
            assert by(issuer.access_token()) == 401, claims
        issuer.claims = {"aud": "the tag"}
        assert by(issuer.access_token()) == 303
        issuer.claims = {}
        issuer.sign_with = Key("k1")
        assert by(issuer.access_token()) == 401
        issuer.sign_with = Key("es", "ES256")
        issuer.keys.append(issuer.sign_with)
        assert by(issuer.access_token()) == 401  # RS256 alone
    issuer.sign_with, issuer.is_down = None, True
    with House(issuer, create=True) as house:
        got = Browser(house).get("/auth/access/start", {"Cf-Access-Jwt-Assertion": issuer.access_token()})
        assert got.status == 502  # no keys: nobody


# --- a proxy of one's own ---

PROXY = {"name": "proxy", "kind": "header", "header": "remote-user", "secret_header": "x-proxy-secret",
         "secret": "known to two"}


def test_a_proxy_names_people(issuer):
    with House(issuer, [PROXY], create=True, http={"trusted_proxies": ["127.0.0.1"]}) as house:
        browser = Browser(house)
        named = {"Remote-User": "dora", "X-Proxy-Secret": "known to two"}
        assert browser.get("/auth/proxy/start", named).status == 303 and browser.me() == "dora"
        again = Browser(house)
        assert again.get("/auth/proxy/start", named).status == 303 and again.me() == "dora"
        assert Browser(house).get("/auth/proxy/start").status == 401
        for wrong in ({"Remote-User": "dora"}, {"Remote-User": "dora", "X-Proxy-Secret": "a guess"},
                      {"Remote-User": "dora", "X-Proxy-Secret": ""}):
            for path in ("/auth/proxy/start", "/api/v1/status", "/healthz", "/"):
                assert Browser(house).get(path, wrong).status == 400, (path, wrong)


def test_a_header_from_elsewhere_is_refused(issuer):
    with House(issuer, [PROXY], create=True, http={"trusted_proxies": ["10.0.0.2"]}) as house:
        named = {"Remote-User": "anna", "X-Proxy-Secret": "known to two"}
        for path in ("/auth/proxy/start", "/api/v1/status", "/"):
            got = Browser(house).get(path, named)
            assert got.status == 400 and "Set-Cookie" not in got.headers, path


@pytest.mark.parametrize("provider,words", [
    ({"name": "x", "kind": "oidc", "client_id": "a"}, "issuer"),
    ({"name": "x", "kind": "oidc", "issuer": "https://a.example"}, "client_id"),
    ({"name": "x", "kind": "oauth", "client_id": "a"}, "authorize_url"),
    ({"name": "x", "kind": "access", "issuer": "https://a.example"}, "audience"),
    ({"name": "x", "kind": "header", "header": "remote-user"}, "secret"),
    ({"name": "x", "kind": "saml"}, "no kind"),
    ({"name": "X Y", "kind": "github", "client_id": "a"}, "small letters"),
    ({"name": "x", "kind": "github", "client_id": "a", "colour": "red"}, "colour"),
    ({"name": "x", "kind": "github", "client_id": "a", "client_secret_file": "/nosuch"}, "/nosuch"),
])
def test_a_wrong_provider_is_named(issuer, provider, words):
    with pytest.raises(RuntimeError) as failed:
        with House(issuer, [provider]):
            pass
    assert words in str(failed.value)
