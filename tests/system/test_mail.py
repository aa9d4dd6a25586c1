# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: whose one is shows in the answer to a letter, and nothing else does."""

import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
import yaml

from issuer import Issuer
from mailbox import Mailbox
from server import SLOW, Server
from test_accounts import add, sign_in
from test_openapi import PASSWORD, Checked
from test_others import Browser, providers_of

FROM = "matinee@example.com"
PUBLIC = "https://films.example.org"


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-mail-"))
    yield made
    shutil.rmtree(made)


def house_of(folder, box, **settings):
    scheme = "smtps" if box.is_implicit else "smtp"
    settings = {"http.public_url": PUBLIC, "log_level": "debug", **settings}
    server = Server(folder, auth="accounts", settings={
        "mail.url": f"{scheme}://127.0.0.1:{box.port}", "mail.from": FROM, "mail.clear_text": "true",
        "torrent.enabled": "false", **settings})
    server.start()
    owner = Checked(server)
    owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
    return server, owner


@pytest.fixture
def house(folder):
    with Mailbox() as box:
        server, owner = house_of(folder, box, **{"auth.registration": "open"})
        yield box, server, owner
        server.__exit__(None, None, None)


def wish(email, **more):
    return {"email": email, "current": PASSWORD, **more}


def test_an_address_is_ones_own_once_its_letter_is_answered(house):
    box, server, owner = house
    assert owner("GET", "/api/v1/status", 200).json["features"] == {"mail": True}
    assert owner("PUT", "/api/v1/me/email", 202, wish("Anna@Example.com")).json == {"email": "anna@example.com"}
    [(sender, readers, letter)] = box.letters
    assert sender == FROM and readers == ["anna@example.com"]
    assert letter["From"] == f"matinee <{FROM}>" and letter["To"] == "anna@example.com"
    assert letter["Subject"] == "Your address at matinee" and letter["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", letter["Message-ID"])
    assert abs(letter["Date"].datetime.timestamp() - time.time()) < 60
    assert letter.get_content_type() == "text/plain" and letter.get_content_charset() == "utf-8"
    assert f"{PUBLIC}/verify#" in letter.get_content() and "anna" in letter.get_content()
    assert "email" not in owner("GET", "/api/v1/me", 200).json  # not yet
    code = box.code()
    assert code not in "".join(server.log)
    Checked(server)("POST", "/api/v1/verify", 404, {"code": code[:-1] + ("A" if code[-1] != "A" else "B")})
    # by who is signed in to the account, and nobody else: not by a letter that somebody else opens
    Checked(server)("POST", "/api/v1/verify", 403, {"code": code})
    add(owner, "ben")
    sign_in(server, "ben")("POST", "/api/v1/verify", 403, {"code": code})
    assert "email" not in owner("GET", "/api/v1/me", 200).json
    owner("POST", "/api/v1/verify", 204, {"code": code})
    assert owner("GET", "/api/v1/me", 200).json["email"] == "anna@example.com"
    owner("POST", "/api/v1/verify", 404, {"code": code})  # once
    assert owner("GET", "/api/v1/me/export", 200).json["account"]["email"] == "anna@example.com"
    owner("DELETE", "/api/v1/me/email", 204)
    assert "email" not in owner("GET", "/api/v1/me", 200).json
    actions = [e["action"] for e in owner("GET", "/api/v1/audit", 200).json["items"]]
    assert "address verified" in actions and "address removed" in actions


def test_who_asks_shows_that_it_is_him(house):
    box, server, owner = house
    assert owner("PUT", "/api/v1/me/email", 403, wish("a@example.com", current="a guess")).json["field"] == "current"
    assert owner("PUT", "/api/v1/me/email", 400, {"email": "a@example.com"}).json["field"] == "current"
    for wrong in ("", "anna", "@example.com", "a@", "a b@example.com", "a@exa mple.com", "a@b@c d", "a\r\nBcc: x@example.com",
                  "a@example.com\r\nX: y", "<a@example.com>", "a@example.com>", '"a"@example.com', "a@[127.0.0.1]",
                  ".a@example.com", "a..b@example.com", "a@-example.com", "ä@example.com", "a@" + "x" * 253 + ".com"):
        assert owner("PUT", "/api/v1/me/email", 422, wish(wrong)).json["field"] == "email", wrong
    assert box.connections == 0
    owner("PUT", "/api/v1/me/email", 202, wish("o'neil+films@example.co.uk"))
    assert box.letters[0][1] == ["o'neil+films@example.co.uk"]


def test_the_letter_before_is_no_good(house):
    box, server, owner = house
    owner("PUT", "/api/v1/me/email", 202, wish("one@example.com"))
    first = box.code()
    owner("PUT", "/api/v1/me/email", 202, wish("two@example.com"))
    owner("POST", "/api/v1/verify", 404, {"code": first})
    owner("POST", "/api/v1/verify", 204, {"code": box.code()})
    assert owner("GET", "/api/v1/me", 200).json["email"] == "two@example.com"


def test_no_two_have_the_same(house):
    box, server, owner = house
    add(owner, "ben")
    ben = sign_in(server, "ben")
    owner("PUT", "/api/v1/me/email", 202, wish("both@example.com"))
    annas = box.code()
    ben("PUT", "/api/v1/me/email", 202, wish("both@example.com"))
    ben("POST", "/api/v1/verify", 204, {"code": box.code()})
    assert owner("POST", "/api/v1/verify", 409, {"code": annas}).json["field"] == "email"
    assert ben("GET", "/api/v1/me", 200).json["email"] == "both@example.com"


def test_nobody_is_sent_letters_without_end(house):
    box, server, owner = house
    for _ in range(5):
        owner("PUT", "/api/v1/me/email", 202, wish("victim@example.com"))
    refused = owner("PUT", "/api/v1/me/email", 429, wish("victim@example.com"))
    assert 1 <= int(refused.header("retry-after")) <= 60 and len(box.letters) == 5
    owner("PUT", "/api/v1/me/email", 429, wish("another@example.com"))  # nor do others from here
    assert len(box.letters) == 5


def test_an_account_begins_with_a_letter(house):
    box, server, owner = house
    ask = Checked(server)
    body = {"username": "Cleo", "password": PASSWORD}
    assert ask("POST", "/api/v1/register", 400, body).json["field"] == "email"
    assert ask("POST", "/api/v1/register", 409, {**body, "username": "ANNA", "email": "c@example.com"}).json["field"] == "username"
    ask("POST", "/api/v1/register", 422, {**body, "password": "short", "email": "c@example.com"})
    assert box.connections == 0
    ask("POST", "/api/v1/register", 202, {**body, "email": "c@example.com"})
    assert ask.cookie is None and len(owner("GET", "/api/v1/users", 200).json["items"]) == 1
    ask("POST", "/api/v1/session", 401, {"username": "Cleo", "password": PASSWORD})
    code = {"code": box.code()}
    assert f"{PUBLIC}/verify#{code['code']}.new\n" in box.letters[-1][2].get_content()
    assert ask("POST", "/api/v1/verify", 400, code).json["field"] == "password"
    assert ask("POST", "/api/v1/verify", 403, {**code, "password": "another long one"}).json["field"] == "password"
    owner("POST", "/api/v1/verify", 400, code)  # whoever is signed in
    made = ask("POST", "/api/v1/verify", 201, {**code, "password": PASSWORD}).json
    assert made["username"] == "Cleo" and made["role"] == "member"
    assert ask("GET", "/api/v1/me", 200).json["email"] == "c@example.com"
    sign_in(server, "cleo")
    # of two who want one name the first to answer has it
    codes = []
    for address in ("x@example.com", "y@example.com"):
        Checked(server)("POST", "/api/v1/register", 202, {"username": "Dora", "password": PASSWORD, "email": address})
        codes.append(box.code())
    Checked(server)("POST", "/api/v1/verify", 201, {"code": codes[1], "password": PASSWORD})
    last = {"code": codes[0], "password": PASSWORD}
    assert Checked(server)("POST", "/api/v1/verify", 409, last).json["field"] == "username"
    # an invitation needs none
    code = owner("POST", "/api/v1/invites", 201, {"role": "member"}).json["code"]
    Checked(server)("POST", "/api/v1/register", 201, {"username": "Emil", "password": PASSWORD, "code": code})


def test_names_are_not_to_be_had_for_nothing(house):
    """Whether there is an account of some name costs a try, as anywhere."""
    box, server, owner = house
    wish = {"username": "ANNA", "password": PASSWORD, "email": "c@example.com"}
    for _ in range(30):
        Checked(server)("POST", "/api/v1/register", 409, wish)
    Checked(server)("POST", "/api/v1/register", 429, wish)
    assert box.connections == 0


def test_a_server_that_hangs_does_not_hold_the_end_up(house):
    box, server, owner = house
    box.delays["greeting"] = 60
    asker = threading.Thread(target=lambda: owner("PUT", "/api/v1/me/email", 502, wish("a@example.com")))
    asker.start()
    while not box.connections:
        time.sleep(0.05)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(30)
    assert time.monotonic() - began < 9 * SLOW
    asker.join()


def test_letters_outlive_a_restart(folder):
    data = tempfile.mkdtemp(prefix="matinee-data-")
    with Mailbox() as box:
        settings = {"mail.url": f"smtp://127.0.0.1:{box.port}", "mail.from": FROM, "mail.clear_text": "true",
                    "http.public_url": PUBLIC}
        with Server(folder, auth="accounts", data=data, settings=settings) as server:
            owner = Checked(server)
            owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
            owner("PUT", "/api/v1/me/email", 202, wish("a@example.com"))
        with Server(folder, auth="accounts", data=data, settings=settings) as server:
            owner = sign_in(server, "anna")
            owner("POST", "/api/v1/verify", 204, {"code": box.code()})
            assert owner("GET", "/api/v1/me", 200).json["email"] == "a@example.com"
    shutil.rmtree(data)


@pytest.mark.parametrize("step,answer,status,words", [
    ("greeting", "554 no", 502, "554"), ("mail", "550 no", 502, "550"), ("rcpt", "550 no such user", 422, "550"),
    ("data", "554 no", 422, "554"), ("end", "554 spam", 422, "554")])
def test_a_server_that_says_no(house, step, answer, status, words):
    box, server, owner = house
    box.answers[step] = answer
    said = owner("PUT", "/api/v1/me/email", status, wish("a@example.com")).json
    assert words in said["detail"], said


def test_a_server_that_is_not_there(house):
    box, server, owner = house
    box.server.shutdown()
    box.server.server_close()
    assert "cannot be reached" in owner("PUT", "/api/v1/me/email", 502, wish("a@example.com")).json["detail"]
    box.__enter__()


@pytest.mark.parametrize("step", ["greeting", "rcpt", "end"])
def test_what_is_put_off_is_tried_again(folder, step):
    with Mailbox() as box:
        server, owner = house_of(folder, box, **{"mail.retry_s": 1})
        box.answers[step] = ["451 later", "451 later still"]
        owner("PUT", "/api/v1/me/email", 202, wish("a@example.com"))
        assert box.letters == []
        deadline = time.monotonic() + 20 * SLOW
        while not box.letters and time.monotonic() < deadline:
            time.sleep(0.1)
        owner("POST", "/api/v1/verify", 204, {"code": box.code()})
        while not any("mail.sent" in line for line in server.log):  # once the server has said goodbye too
            assert time.monotonic() < deadline
            time.sleep(0.1)
        server.__exit__(None, None, None)


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize("is_implicit", [False, True])
def test_by_tls_and_with_a_password(folder, is_implicit):
    (folder / "password").write_text("s3cret word\n")
    context = certificate(folder)
    settings = {"mail.clear_text": "false", "mail.username": "films", "mail.password_file": folder / "password"}
    with Mailbox({"films": "s3cret word"}, context, is_implicit) as box:
        server, owner = house_of(folder, box, **settings, **{"fetch.ca_file": folder / "cert.pem"})
        owner("PUT", "/api/v1/me/email", 202, wish("a@example.com"))
        assert len(box.letters) == 1 and "AUTH" in box.said
        box.accounts["films"] = "another"
        assert "mail.username" in owner("PUT", "/api/v1/me/email", 502, wish("a@example.com")).json["detail"]
        assert "s3cret" not in "".join(server.log)
        server.__exit__(None, None, None)
        # whose certificate nobody vouches for is told nothing
        server, owner = house_of(folder, box, **settings)
        before = len(box.said)
        owner("PUT", "/api/v1/me/email", 502, wish("a@example.com"))
        assert "AUTH" not in box.said[before:]
        server.__exit__(None, None, None)


def test_without_tls_only_where_that_is_allowed(folder):
    with Mailbox({"films": "x"}) as box:
        server, owner = house_of(folder, box, **{"mail.clear_text": "false"})
        assert "mail.clear_text" in owner("PUT", "/api/v1/me/email", 502, wish("a@example.com")).json["detail"]
        assert "AUTH" not in box.said and "MAIL" not in box.said
        server.__exit__(None, None, None)


def test_a_house_without_letters(folder):
    with Server(folder, auth="accounts", settings={"auth.registration": "open"}) as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        assert owner("GET", "/api/v1/status", 200).json["features"] == {}
        assert "mail.url" in owner("PUT", "/api/v1/me/email", 409, wish("a@example.com")).json["detail"]
        owner("DELETE", "/api/v1/me/email", 204)
        Checked(server)("POST", "/api/v1/register", 201, {"username": "ben", "password": PASSWORD})


@pytest.mark.parametrize("settings,words", [
    ({"mail.url": "http://mx"}, "mail.url"), ({"mail.url": "smtp://mx", "mail.from": ""}, "mail.from"),
    ({"mail.url": "smtp://mx", "mail.from": "a b@c"}, "mail.from"),
    ({"mail.url": "smtp://mx", "mail.from": FROM, "http.public_url": ""}, "http.public_url"),
    ({"mail.url": "smtp://mx", "mail.from": FROM, "mail.password_file": "/nosuch"}, "/nosuch")])
def test_a_wrong_setting_is_named(folder, settings, words):
    server = Server(folder, auth="accounts", settings={"http.public_url": PUBLIC, **settings})
    with pytest.raises(RuntimeError) as failed:
        server.start()
    assert words in str(failed.value)
    shutil.rmtree(server.data)


# --- sign-in by others, by an address that is verified on both sides ---

def with_issuer(folder, box, issuer, is_on):
    config = folder / "matinee.yaml"
    config.write_text(yaml.safe_dump({"auth": {"providers": providers_of(issuer), "link_by_email": is_on},
                                      "mail": {"url": f"smtp://127.0.0.1:{box.port}", "from": FROM, "clear_text": True},
                                      "http": {"public_url": PUBLIC}}))
    return Server(folder, auth="accounts", environment={"MATINEE_CONFIG": str(config)})


@pytest.mark.parametrize("is_on", [True, False])
def test_an_address_that_both_have_verified_is_one_person(folder, is_on):
    with Mailbox() as box, Issuer() as issuer, with_issuer(folder, box, issuer, is_on) as server:
        owner = Checked(server)
        owner("POST", "/api/v1/setup", 201, {"username": "anna", "password": PASSWORD})
        add(owner, "dora here")
        dora = sign_in(server, "dora here")

        class House:
            pass

        house = House()
        house.server = server
        dora("PUT", "/api/v1/me/email", 202, wish("dora@example.com"))
        assert Browser(house).come_back(issuer).status == 403  # asked for is not verified
        dora("POST", "/api/v1/verify", 204, {"code": box.code()})
        issuer.claims = {"email_verified": False}
        assert Browser(house).come_back(issuer).status == 403  # nor did the provider
        issuer.claims = {}
        browser = Browser(house)
        got = browser.come_back(issuer)
        if not is_on:
            assert got.status == 403
            return
        assert got.status == 303 and browser.me() == "dora here"
        issuer.claims = {"email": "else@example.com"}  # from now on by the subject
        assert Browser(house).come_back(issuer).status == 303
        # an administrator links it himself
        owner("PUT", "/api/v1/me/email", 202, wish("anna@example.com"))
        owner("POST", "/api/v1/verify", 204, {"code": box.code()})
        issuer.claims = {"sub": "2", "email": "anna@example.com"}
        assert Browser(house).come_back(issuer).status == 403
        actions = [e["action"] for e in owner("GET", "/api/v1/audit", 200).json["items"]]
        assert "sign-in linked by address" in actions
