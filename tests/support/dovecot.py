"""Debian's Dovecot as a plain process, with its own configuration and certificate, on free loopback ports."""

import contextlib
import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from web_server import free_port

PROGRAM = "/usr/sbin/dovecot"
USER, PASSWORD = "soporte@noc.example", "a password with ' and \\ in it"
_CONFIG = """
base_dir = {run}
state_dir = {run}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_username_chars =
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = passwd-file
  args = scheme=plain {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {secure}
    ssl = yes
  }}
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """One mailbox. `start`, `stop`, and `deliver` a message as a mail server would."""

    def __init__(self, folder, certificate, key, ca, *, ssl_mode="yes"):
        self.ca = ca
        self.folder = Path(folder)
        self.port, self.plain_port = free_port(), free_port()
        root = os.geteuid() == 0
        mine = pwd.getpwuid(65_534 if root else os.geteuid())
        (self.folder / "mail").mkdir()
        (self.folder / "run").mkdir()
        (self.folder / "users").write_text(f"{USER}:{PASSWORD}::::::\n")
        if root:
            os.chown(self.folder / "mail", mine.pw_uid, mine.pw_gid)
        (self.folder / "dovecot.conf").write_text(
            _CONFIG.format(
                run=self.folder / "run", folder=self.folder, cert=certificate, key=key, uid=mine.pw_uid,
                gid=mine.pw_gid, internal="dovecot" if root else mine.pw_name,
                group="dovecot" if root else mine.pw_name, login="dovenull" if root else mine.pw_name,
                plain=self.plain_port, secure=self.port, ssl=ssl_mode,
            )
        )  # fmt: skip
        self._process = None

    def start(self):
        with (self.folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                [PROGRAM, "-F", "-c", str(self.folder / "dovecot.conf")], stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.plain_port), 1) as open_:
                open_.settimeout(2)
                if open_.recv(10).startswith(b"* OK"):
                    return
            assert self._process.poll() is None, (self.folder / "stderr").read_text() + self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def stop(self):
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)  # a session under way would outlive its master
            self._process.wait(10)
            self._process = None

    def log(self):
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @contextlib.contextmanager
    def client(self):
        """A mail program of the mailbox's people."""
        opened = imaplib.IMAP4("localhost", self.plain_port, timeout=10)
        try:
            opened.starttls(ssl.create_default_context(cafile=self.ca))
            opened._simple_command("LOGIN", opened._quote(USER), opened._quote(PASSWORD))
            opened.state = "AUTH"
            yield opened
        finally:
            opened.logout()

    def deliver(self, raw, flags=None):
        with self.client() as client:
            said, _ = client.append("INBOX", flags, None, raw)
            assert said == "OK"

    def flags(self, folder="INBOX"):
        """The flags of every message."""
        with self.client() as client:
            said, count = client.select(folder, readonly=True)
            if said != "OK" or count == [b"0"]:
                return []
            _, data = client.fetch("1:*", "(FLAGS)")
        return [line.decode() for line in data if line]

    def recreate(self):
        """The folder is made anew: another UIDVALIDITY."""
        with self.client() as client:
            client.create("Old")
        self.stop()
        for path in (self.folder / "mail").glob("dovecot*"):
            path.unlink() if path.is_file() else shutil.rmtree(path)
        self.start()


@contextlib.contextmanager
def dovecot(certificate, key, ca, **more):
    with tempfile.TemporaryDirectory(prefix="sd-", ignore_cleanup_errors=True) as folder:  # short: it makes sockets
        Path(folder).chmod(0o755)
        made = Dovecot(folder, certificate, key, ca, **more)
        made.start()
        try:
            yield made
        finally:
            made.stop()
