"""`sereno users`: by links and files, never by a password on the command line."""

import json
import subprocess
import sys

import pytest
from people import PASSWORD, Browsers
from pki import Pki
from web_server import Served

from dashboards.web.app import create_app
from sereno.errors import UsageError
from sereno.listen import listen_of, refuse_unguarded
from sereno.store import open_store
from sereno.store.tables import commands

SERENO = [sys.executable, "-m", "sereno"]


@pytest.fixture
def sereno(tmp_path, capsys, monkeypatch):
    """Runs a command in this process, which spares a second for each: (status, standard output, standard error)."""
    from sereno import cli

    def run(*arguments, data=True):
        more = ["--data", str(tmp_path / "data")] if data else []
        monkeypatch.setattr(sys, "argv", ["sereno", *map(str, arguments), *more])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    monkeypatch.setattr(cli, "_standard_streams", lambda: None)
    return run


def test_an_account_is_made_by_a_link_and_logs_in(sereno, tmp_path):
    code, out, _ = sereno("users", "add", "Ana", "--role", "admin", "--url", "http://here:1/", "--json")
    made = json.loads(out)
    assert (code, made["name"], made["role"], made["has_password"]) == (0, "ana", "admin", False)
    assert made["link"].startswith("http://here:1/invite/")
    store = open_store(tmp_path / "data")
    server = Served(lambda: create_app(store))
    server.start()
    with Browsers(server.url) as browse:
        path = "/invite/" + made["link"].rpartition("/")[2]
        assert "Una contraseña para ana" in browse().get(path).text
        browser = browse()
        browser.get(path)
        assert browser.send_form(path, password=PASSWORD, again=PASSWORD).headers["location"] == "/"
        assert sereno("users", "list")[1].split() == ["ana", "admin", "activa"]
        sessions = json.loads(sereno("users", "show", "ana", "--json")[1])["users"][0]["sessions"]
        assert [each["address"] for each in sessions] == ["127.0.0.1"]
        assert sereno("users", "disable", "ana")[0] == 1
        assert "only administrator" in sereno("users", "disable", "ana")[2]
        sereno("users", "add", "eva", "--role", "admin", "--password-file", _file(tmp_path, "otras tres palabras"))
        assert sereno("users", "disable", "ana")[0] == 0
        assert browser.get("/").status_code == 303
    server.stop()
    store.dispose()


def _file(folder, password):
    file = folder / "password"
    file.write_text(f"{password}\nsecond line\n")
    return file


def test_what_is_wrong_is_one_line(sereno, tmp_path):
    sereno("users", "add", "ana", "--role", "admin", "--password-file", _file(tmp_path, PASSWORD))
    wrong = (
        (("users", "add", "ana", "--role", "viewer"), 1, "an account with this name already"),
        (("users", "add", "x y", "--role", "viewer"), 2, "is no name"),
        (("users", "add", "eva", "--role", "boss"), 2, "--role boss: is no role; they are viewer, operator"),
        (("users", "add", "eva", "--role", "manager"), 2, "a manager needs customers"),
        (("users", "add", "eva", "--role", "viewer", "--locale", "xx"), 2, "--locale xx: is no locale"),
        (("users", "role", "nobody", "viewer"), 1, "there is no such account"),
        (("users", "customers", "ana", "acme"), 1, "only a manager has customers"),
        (("users", "reset", "nobody"), 1, "there is no such account"),
        (("users", "add", "eva", "--role", "viewer", "--password-file", tmp_path / "none"), 2, "No such file"),
        (("users", "add", "eva", "--role", "viewer", "--ask-password"), 2, "this is no terminal"),
        (("users", "token", "add", "bot", "--scope", "boss"), 2, "name one or more of read"),
        (("users", "token", "add", "bot", "--scope", "read", "--expires", "soon"), 2, "--expires: 'soon' is not"),
        (("users", "token", "revoke", 7), 1, "there is no such token"),
        (("users", "audit", "--from", "yesterday"), 2, "--from: 'yesterday' is not an ISO 8601 instant"),
    )
    for arguments, status, words in wrong:
        code, out, err = sereno(*arguments)
        assert (code, out) == (status, ""), arguments
        assert err.startswith("sereno: ")
        assert words in err
        assert err.count("\n") == 1
    short = sereno("users", "add", "eva", "--role", "viewer", "--password-file", _file(tmp_path, "secreta"))
    assert (short[0], "secreta" in short[2]) == (1, False)


def test_tokens_and_the_log(sereno):
    sereno("users", "add", "ana", "--role", "operator")
    made = json.loads(sereno("users", "token", "add", "prom", "--scope", "metrics", "--expires", "1d", "--json")[1])
    assert made["token"].startswith("sereno_")
    listed = json.loads(sereno("users", "token", "list", "--json")[1])["tokens"]
    assert [(each["name"], each["scopes"], "token" in each) for each in listed] == [("prom", ["metrics"], False)]
    assert "revocada" in sereno("users", "token", "revoke", made["id"])[1]
    log = json.loads(sereno("users", "audit", "--json")[1])["audit"]
    assert [each["what"] for each in log] == ["token.revoke", "token.add", "invitation.add", "user.add"]
    assert {each["how"] for each in log} == {"cli"}
    assert made["token"] not in json.dumps(log)
    log = json.loads(sereno("users", "audit", "--what", "token.", "--json")[1])["audit"]
    assert [each["what"] for each in log] == ["token.revoke", "token.add"]


def test_what_others_wrote_steers_no_terminal(sereno, tmp_path):
    sereno("users", "add", "ana", "--role", "operator")
    store = open_store(tmp_path / "data")
    asked = {
        "arguments": json.dumps({"title": "a\x1b[31mred\u202e\nb"}), "state": "refused",
        "outcome": json.dumps({"text": "\x9b2J"}),
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(commands.insert().values(key="k", at_us=1, who="x\x07", verb="incident.open", **asked))
    store.dispose()
    out = sereno("users", "audit", "--what", "incident.")[1]
    assert out.count("\n") == 1
    assert out.rstrip("\n").isprintable()


def test_a_page_for_others_needs_tls_and_an_administrator(tmp_path, pki_files):
    certificate, key = pki_files
    wrong = (
        (("0.0.0.0:1", None, None, None), "pages beyond loopback need accounts and TLS: add --tls-cert FILE --tls-key"),
        (("[::]:1", None, None, ["127.0.0.1"]), "--http [::]:1: pages beyond loopback need accounts and TLS"),
        (("127.0.0.1:1", None, None, ["nowhere"]), "--proxy nowhere: no address and no network"),
        (("127.0.0.1:1", certificate, None, None), "TLS needs a certificate and its key: add --tls-key FILE"),
        (("127.0.0.1:1", certificate, certificate, None), "give a PEM certificate and its own key"),
        (("127.0.0.1:1", tmp_path / "none.pem", key, None), "none.pem: No such file"),
        (("host:1", None, None, None), "'host' is no IP address"),
    )
    for arguments, words in wrong:
        with pytest.raises(UsageError) as caught:
            listen_of(*arguments)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    beyond, proxied = (
        listen_of("0.0.0.0:1", certificate, key, None),
        listen_of("127.0.0.1:1", None, None, ["10.0.0.0/8"]),
    )
    here = listen_of("127.0.0.1:1", certificate, key, None)
    assert (beyond.private, proxied.private, here.private) == (False, False, True)
    assert (here.url(), beyond.url(9).startswith("https://")) == ("https://127.0.0.1:1", True)
    for listen, setting in ((beyond, "--http 0.0.0.0: "), (proxied, "--proxy: ")):
        refuse_unguarded(listen, admin=True, where="--data D")
        with pytest.raises(
            UsageError, match=r"no administrator can log in yet: first make one, .* --data D$"
        ) as caught:
            refuse_unguarded(listen, admin=False, where="--data D")
        assert str(caught.value).startswith(setting)
    refuse_unguarded(here, admin=False, where="--data D")


def test_up_says_so_before_it_starts_anything(tmp_path, pki_files):
    certificate, key = map(str, pki_files)
    told = [*SERENO, "up", "--lab", "--data", str(tmp_path), "--http", "0.0.0.0:0"]
    ended = subprocess.run(
        [*told, "--tls-cert", certificate, "--tls-key", key], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "no administrator can log in yet: first make one, sereno users add NAME" in ended.stderr


@pytest.fixture
def pki_files(tmp_path):
    return Pki(tmp_path / "pki").self_signed("page", "IP:127.0.0.1")
