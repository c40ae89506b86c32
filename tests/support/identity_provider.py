"""A local HTTP server shaped like an OpenID provider: discovery, keys, token endpoint, userinfo. Not a real one."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "sereno", "what only both know"


class Provider:
    """`people` are its users' claims; `spoil(claims)` makes what it signs wrong; `slow` seconds before each answer."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.signing = self.key
        self.spoil = lambda claims: claims
        self.userinfo, self.slow, self.asked, self.codes = {}, 0.0, [], {}
        self.published = {}
        handler = type("Handler", (_Handler,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def code(self, asked, **claims):
        """Somebody logged in there: what the browser brings back for what it was sent with."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = (asked, claims)
        return code

    def token(self, form, authorization):
        """The answer of the token endpoint; a code works once, for this client, this address and this verifier."""
        asked, claims = self.codes.pop(form["code"], (None, None))
        given = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization not in {f"Basic {given}", f"Basic {plain}"}:
            return None
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if challenge.rstrip("=") != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        now = int(time.time())
        body = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], "sub": "s-1",
            **claims,
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, self.spoil(body), self.signing)
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": signed}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self):
        there = self.provider
        there.asked.append(self.path)
        time.sleep(there.slow)
        if self.path == "/.well-known/openid-configuration":
            self._say({
                "issuer": there.issuer, "authorization_endpoint": f"{there.issuer}/authorize",
                "token_endpoint": f"{there.issuer}/token", "jwks_uri": f"{there.issuer}/keys",
                "userinfo_endpoint": f"{there.issuer}/userinfo", **there.published,
            })  # fmt: skip
        elif self.path == "/keys":
            self._say(KeySet([there.key]).as_dict(private=False))
        elif self.path == "/userinfo" and self.headers.get("authorization") == "Bearer access":
            self._say(there.userinfo)
        else:
            self.send_error(404)

    def do_POST(self):
        there = self.provider
        there.asked.append(self.path)
        time.sleep(there.slow)
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        answer = there.token({k: v[0] for k, v in parse_qs(raw).items()}, self.headers.get("authorization"))
        self._say(answer if answer is not None else {"error": "invalid_grant"}, 200 if answer is not None else 400)

    def _say(self, body, status=200):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass
