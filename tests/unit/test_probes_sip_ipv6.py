"""IPv6 in SIP as RFC 5118 has it: brackets in URIs and Via, and what peers write about us."""

import pytest

from probes.sip.locate import literal
from probes.sip.message import OptionsRequest, build_options, parse_reply
from probes.sip.uri import parse_uri

REPLY = (
    "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:p@[2001:db8::1]>;tag=1\r\nTo: <sip:[2001:db8::10]>;tag=2\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3-111",  # section 4.5
        "SIP/2.0/UDP [2001:db8::9:1]:6050;received=2001:db8::9:255;branch=z9hG4bKas3-111",
        "SIP/2.0/TCP [::1]:5060;rport=6050;received=::1;branch=z9hG4bKas3-111",
        "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKas3-111",  # section 4.9
        "SIP / 2.0 / TLS [fe80::1]:5061 ; branch=z9hG4bKas3-111",
    ],
)
def test_our_branch_is_found_whatever_surrounds_it(via):
    assert parse_reply(REPLY.format(via=via).encode()).branch == "z9hG4bKas3-111"


@pytest.mark.parametrize(
    ("text", "host", "port", "hostport"),
    [
        ("sip:[2001:db8::10]", "2001:db8::10", 5060, "[2001:db8::10]"),  # section 4.1
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", 5060, "[2001:db8::10:5070]"),  # section 4.3: no port
        ("sip:[2001:db8::10]:5070", "2001:db8::10", 5070, "[2001:db8::10]:5070"),
        ("sips:[::ffff:192.0.2.1]", "::ffff:192.0.2.1", 5061, "[::ffff:192.0.2.1]"),
    ],
)
def test_addresses(text, host, port, hostport):
    uri = parse_uri(text)
    assert (uri.host, uri.effective_port, uri.hostport, uri.is_name) == (host, port, hostport, False)
    address = literal(uri.host, uri.effective_port, uri.transport)
    assert address.sockaddr == (host, port, 0, 0)
    assert parse_uri(address.uri).host == host


@pytest.mark.parametrize("text", ["sip:2001:db8::10", "sip:[2001:db8::10", "sip:[]", "sip:[x::1]"])
def test_without_brackets_it_is_no_uri(text):
    from sereno.errors import UsageError

    with pytest.raises(UsageError):
        parse_uri(text)


@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
def test_brackets_in_via_contact_and_from(transport):
    request = OptionsRequest(
        uri="sips:[2001:db8::10]" if transport == "TLS" else "sip:[2001:db8::10]", local="[2001:db8::1]:5066",
        branch="z9hG4bKx", call_id="c", tag="t", probe="bog-1", transport=transport,
    )  # fmt: skip
    lines = build_options(request).decode().split("\r\n")
    assert f"Via: SIP/2.0/{transport} [2001:db8::1]:5066;rport;branch=z9hG4bKx" in lines
    assert "From: <sip:bog-1@[2001:db8::1]:5066>;tag=t" in lines
    (contact,) = [line for line in lines if line.startswith("Contact")]
    carried = {"UDP": "", "TCP": ";transport=tcp", "TLS": ";transport=tls"}[transport]
    assert contact == f"Contact: <{'sips' if transport == 'TLS' else 'sip'}:bog-1@[2001:db8::1]:5066{carried}>"


def test_routes_and_request_uris_name_their_transport():
    said = {
        "sip:[::1]:5080": ("<sip:[::1]:5080;lr>", "sip:[::1]:5080"),
        "sip:192.0.2.1;transport=tcp": ("<sip:192.0.2.1;transport=tcp;lr>", "sip:192.0.2.1;transport=tcp"),
        "sips:192.0.2.1": ("<sip:192.0.2.1;transport=tls;lr>", "sips:192.0.2.1"),
        "sips:192.0.2.1:5099": ("<sip:192.0.2.1:5099;transport=tls;lr>", "sips:192.0.2.1:5099"),
    }
    assert {text: (parse_uri(text).route, parse_uri(text).itself) for text in said} == said
