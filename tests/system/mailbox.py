# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server (RFC 5321) that keeps what it is given, and can say no at each step."""

import base64
import email
import email.policy
import re
import socketserver
import ssl
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")
        self.wfile.flush()

    def refuses(self, step):
        answer = self.server.box.answer_to(step)
        if answer:
            self.say(answer)
        return bool(answer)

    def handle(self):
        box = self.server.box
        box.connections += 1
        if box.context and box.is_implicit:
            self.secure()
        if self.refuses("greeting"):
            return
        self.say("220 mx ESMTP")
        sender, readers = None, []
        for line in iter(lambda: self.rfile.readline(), b""):  # another one after STARTTLS
            word, _, rest = line.decode().strip().partition(" ")
            word = word.upper()
            box.said.append(word)
            if word in ("EHLO", "HELO"):
                offers = ["SIZE 10485760", "SMTPUTF8"]
                if box.context and not self.is_secure():
                    offers.append("STARTTLS")
                elif box.accounts:
                    offers.append("AUTH PLAIN LOGIN")
                for offer in ["mx", *offers[:-1]]:
                    self.say(f"250-{offer}")
                self.say(f"250 {offers[-1]}")
            elif word == "STARTTLS":
                self.say("220 go on")
                self.secure()
            elif word == "AUTH":
                self.authenticate(rest)
            elif word == "MAIL" and not self.refuses("mail"):
                sender = re.search("<(.*?)>", rest)[1]
                self.say("250 ok")
            elif word == "RCPT" and not self.refuses("rcpt"):
                readers.append(re.search("<(.*?)>", rest)[1])
                self.say("250 ok")
            elif word == "DATA" and not self.refuses("data"):
                self.say("354 go on")
                self.take(sender, readers)
                readers = []
            elif word == "QUIT":
                self.say("221 bye")
                return

    def is_secure(self):
        return isinstance(self.connection, ssl.SSLSocket)

    def secure(self):
        self.connection = self.server.box.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

    def authenticate(self, rest):
        _, _, first = rest.partition(" ")
        if not first:
            self.say("334 ")
            first = self.rfile.readline().decode().strip()
        _, name, password = base64.b64decode(first).decode().split("\0")
        good = self.server.box.accounts.get(name) == password
        self.say("235 welcome" if good else "535 no")

    def take(self, sender, readers):
        lines = []
        for line in iter(self.rfile.readline, b".\r\n"):
            lines.append(line[1:] if line.startswith(b".") else line)
        if not self.refuses("end"):
            message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            self.server.box.letters.append((sender, readers, message))
            self.say("250 2.0.0 queued")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class Mailbox:
    """`answers` is what it says instead of yes at a step (greeting, mail, rcpt, data, end), once for each in the list,
    or always where it is text."""

    def __init__(self, accounts=None, context=None, is_implicit=False):
        self.accounts, self.context, self.is_implicit = accounts or {}, context, is_implicit
        self.answers, self.letters, self.said, self.connections = {}, [], [], 0
        self.delays = {}  # seconds before a step

    def answer_to(self, step):
        time.sleep(self.delays.get(step, 0))
        answer = self.answers.get(step)
        if isinstance(answer, list):
            return answer.pop(0) if answer else None
        return answer

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.box = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def code(self):
        """That of the last letter."""
        text = self.letters[-1][2].get_content()
        return re.search(r"/verify#([^\s.]+)", text)[1]
