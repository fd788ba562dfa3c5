"""Raw requests, and what they must be answered: bytes as no polite client would send them.

A case is (name, bytes, statuses): those of all answers, in order, until the server closes. After the bytes the client
sends nothing more: it half-closes.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """`sent` in one piece; `statuses` of all answers."""

    name: str
    sent: bytes
    statuses: tuple[int, ...]


H = b"host: x\r\n"
BODY = b'{"requestId":"%s"}'
OK = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


def _get(line: bytes, *headers: bytes) -> bytes:
    return line + b"\r\n" + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


def _post(*headers: bytes, body: bytes = b"") -> bytes:
    return _get(b"POST /v1/instances/c000000000000.s1/join HTTP/1.1", b"host: x", *headers) + body


def _chunked(body: bytes) -> bytes:
    return _post(b"transfer-encoding: chunked", body=body)


# No token: a POST that is understood is 401, whatever its body.
UNDERSTOOD = 401

LINES: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("plain", b"GET /livez HTTP/1.1", (200,)),
    ("query", b"GET /v1/instances?limit=1 HTTP/1.1", (200,)),
    ("HEAD", b"HEAD /livez HTTP/1.1", (200,)),
    ("other path", b"GET /nothing HTTP/1.1", (404,)),
    ("absolute", b"GET http://x/livez HTTP/1.1", (200,)),
    ("absolute, capitals", b"GET HTTP://X/livez HTTP/1.1", (200,)),
    ("absolute, with a port", b"GET http://x:80/livez HTTP/1.1", (200,)),
    ("absolute, no path", b"GET http://x HTTP/1.1", (404,)),
    ("absolute, other scheme", b"GET ftp://x/livez HTTP/1.1", (400,)),
    ("star of OPTIONS", b"OPTIONS * HTTP/1.1", (204,)),
    ("star of GET", b"GET * HTTP/1.1", (400,)),
    ("CONNECT", b"CONNECT x:443 HTTP/1.1", (400,)),
    ("CONNECT with a path", b"CONNECT /livez HTTP/1.1", (400,)),
    ("TRACE", b"TRACE /livez HTTP/1.1", (405,)),
    ("PUT", b"PUT /livez HTTP/1.1", (405,)),
    ("no slash", b"GET livez HTTP/1.1", (400,)),
    ("two spaces", b"GET  /livez HTTP/1.1", (200,)),
    ("tab", b"GET\t/livez HTTP/1.1", (400,)),
    ("space at the end", b"GET /livez HTTP/1.1 ", (400,)),
    ("space before", b" GET /livez HTTP/1.1", (400,)),
    ("small method", b"get /livez HTTP/1.1", (400,)),
    ("odd method", b"G@T /livez HTTP/1.1", (400,)),
    ("unknown method", b"FOO /livez HTTP/1.1", (400,)),
    ("empty method", b" /livez HTTP/1.1", (400,)),
    ("no target", b"GET HTTP/1.1", (400,)),
    ("no version", b"GET /livez", (400,)),
    ("HTTP/0.9", b"GET /livez HTTP/0.9", (400,)),
    ("HTTP/1.2", b"GET /livez HTTP/1.2", (400,)),
    ("HTTP/2.0", b"GET /livez HTTP/2.0", (400,)),
    ("HTTP/3", b"GET /livez HTTP/3", (400,)),
    ("small version", b"GET /livez http/1.1", (400,)),
    ("HTTP/01.1", b"GET /livez HTTP/01.1", (400,)),
    ("HTTP/1.", b"GET /livez HTTP/1.", (400,)),
    ("HTTP/+1.1", b"GET /livez HTTP/+1.1", (400,)),
    ("ICE/1.0", b"GET /livez ICE/1.0", (400,)),
    ("RTSP", b"SETUP /livez RTSP/1.0", (400,)),
    ("space in the target", b"GET /li vez HTTP/1.1", (400,)),
    ("fragment", b"GET /livez#x HTTP/1.1", (200,)),
    ("bytes in the target", b"GET /\xff\xfe HTTP/1.1", (400,)),
    ("UTF-8 in the query", "GET /livez?中 HTTP/1.1".encode(), (400,)),
    ("NUL in the target", b"GET /li\0vez HTTP/1.1", (400,)),
    ("DEL in the target", b"GET /li\x7fvez HTTP/1.1", (400,)),
    ("escaped NUL", b"GET /%00 HTTP/1.1", (404,)),
    ("dots", b"GET /../livez HTTP/1.1", (404,)),
    ("escaped letters", b"GET /%6civez HTTP/1.1", (200,)),
    ("double slash", b"GET //livez HTTP/1.1", (200,)),
    ("long target", b"GET /" + b"x" * 40_000 + b" HTTP/1.1", (431,)),
    ("CR in the line", b"GET /livez\r HTTP/1.1", (400,)),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,)),
    ("SSH", b"SSH-2.0-OpenSSH_9.2p1", (400,)),
    ("PROXY, not asked for", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", (400,)),
]

HEADERS: list[tuple[str, tuple[bytes, ...], tuple[int, ...]]] = [
    ("no host", (), (400,)),
    ("two hosts", (b"host: x", b"host: y"), (400,)),
    ("the same host twice", (b"host: x", b"host: x"), (400,)),
    ("two hosts, capitals", (b"Host: x", b"HOST: y"), (400,)),
    ("empty host", (b"host:",), (200,)),
    ("no space after the colon", (b"host:x",), (200,)),
    ("tab after the colon", (b"host:\tx",), (200,)),
    ("space before the colon", (b"host: x", b"a : b"), (400,)),
    ("tab before the colon", (b"host: x", b"a\t: b"), (400,)),
    ("no colon", (b"host: x", b"abc"), (400,)),
    ("no name", (b"host: x", b": b"), (400,)),
    ("name with a bracket", (b"host: x", b"a(b): c"), (400,)),
    ("name with bytes", (b"host: x", b"a\xff: c"), (400,)),
    ("name with NUL", (b"host: x", b"a\0: c"), (400,)),
    ("value with NUL", (b"host: x", b"a: b\0c"), (400,)),
    ("value with CR", (b"host: x", b"a: b\rc"), (400,)),
    ("value with a control byte", (b"host: x", b"a: \x01"), (400,)),
    ("value with DEL", (b"host: x", b"a: \x7f"), (400,)),
    ("value with bytes", (b"host: x", b"a: \xff\xfe"), (200,)),
    ("value with a tab", (b"host: x", b"a: b\tc"), (200,)),
    ("empty value", (b"host: x", b"a:"), (200,)),
    ("folded", (b"host: x", b"a: b\r\n c"), (400,)),
    ("folded by a tab", (b"host: x", b"a: b\r\n\tc"), (400,)),
    ("folded first", (b" host: x",), (400,)),
    ("bare LF", (b"host: x\na: b",), (400,)),
    ("many", (b"host: x", *(b"a%d: b" % number for number in range(200))), (431,)),
    ("a hundred", (b"host: x", *(b"a%d: b" % number for number in range(90))), (200,)),
    ("long value", (b"host: x", b"a: " + b"x" * 40_000), (431,)),
    ("long name", (b"host: x", b"x" * 40_000 + b": a"), (431,)),
    ("cookie of 8 KB", (b"host: x", b"cookie: " + b"x" * 8000), (200,)),
    (
        "Upgrade: h2c",
        (b"host: x", b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: "),
        (200,),
    ),
    ("Upgrade: websocket", (b"host: x", b"connection: upgrade", b"upgrade: websocket"), (200,)),
    ("Upgrade alone", (b"host: x", b"upgrade: h2c"), (200,)),
    ("Connection: close", (b"host: x", b"connection: close"), (200,)),
    ("Connection: CLOSE", (b"host: x", b"connection: CLOSE"), (200,)),
    ("Connection of many", (b"host: x", b"connection: a, close, b"), (200,)),
    ("Expect", (b"host: x", b"expect: 100-continue"), (200,)),
    ("Expect something else", (b"host: x", b"expect: 200-ok"), (417,)),
    ("Content-Length: 0", (b"host: x", b"content-length: 0"), (200,)),
    ("TE", (b"host: x", b"te: trailers"), (200,)),
    ("Trailer", (b"host: x", b"trailer: a"), (200,)),
    ("hop by hop host", (b"host: x", b"connection: host"), (200,)),
]

LENGTHS: list[tuple[str, tuple[bytes, ...], bytes, tuple[int, ...]]] = [
    ("length", (b"content-length: 3",), b"abc", (UNDERSTOOD,)),
    ("none", (), b"", (UNDERSTOOD,)),
    ("zero", (b"content-length: 0",), b"", (UNDERSTOOD,)),
    ("leading zeros", (b"content-length: 003",), b"abc", (UNDERSTOOD,)),
    ("space behind", (b"content-length: 3 ",), b"abc", (UNDERSTOOD,)),
    ("plus", (b"content-length: +3",), b"abc", (400,)),
    ("minus", (b"content-length: -3",), b"abc", (400,)),
    ("hexadecimal", (b"content-length: 0x3",), b"abc", (400,)),
    ("exponent", (b"content-length: 3e0",), b"abc", (400,)),
    ("point", (b"content-length: 3.0",), b"abc", (400,)),
    ("underscore", (b"content-length: 1_0",), b"abc", (400,)),
    ("list", (b"content-length: 3, 3",), b"abc", (400,)),
    ("two words", (b"content-length: 3 3",), b"abc", (400,)),
    ("letters", (b"content-length: abc",), b"abc", (400,)),
    ("empty", (b"content-length:",), b"abc", (400,)),
    ("other digits", ("content-length: ３".encode(),), b"abc", (400,)),
    ("twice the same", (b"content-length: 3", b"content-length: 3"), b"abc", (400,)),
    ("twice", (b"content-length: 3", b"content-length: 4"), b"abcd", (400,)),
    ("twice, capitals", (b"content-length: 3", b"CONTENT-LENGTH: 4"), b"abcd", (400,)),
    ("too long", (b"content-length: 20000",), b"x" * 20_000, (413,)),
    ("far too long", (b"content-length: 99999999999999999999999",), b"", (400,)),
    ("2^64 + 3", (b"content-length: 18446744073709551619",), b"abc", (400,)),
    ("2^32 + 3", (b"content-length: 4294967299",), b"abc", (413,)),
    ("with chunks", (b"content-length: 5", b"transfer-encoding: chunked"), b"0\r\n\r\n", (400,)),
    ("behind chunks", (b"transfer-encoding: chunked", b"content-length: 5"), b"0\r\n\r\n", (400,)),
    ("too short", (b"content-length: 5",), b"abc", (400,)),
    ("one byte less", (b"content-length: 3",), b"ab", (400,)),
    ("named by Connection", (b"content-length: 3", b"connection: content-length"), b"abc", (UNDERSTOOD,)),
]

CODINGS: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("chunked", b"chunked", (UNDERSTOOD,)),
    ("capitals", b"CHUNKED", (UNDERSTOOD,)),
    ("space behind", b"chunked ", (400,)),
    ("tab before", b"\tchunked", (UNDERSTOOD,)),
    ("gzip, chunked", b"gzip, chunked", (400,)),
    ("chunked, chunked", b"chunked, chunked", (400,)),
    ("chunked, gzip", b"chunked, gzip", (400,)),
    ("identity", b"identity", (400,)),
    ("xchunked", b"xchunked", (400,)),
    ("chunkedx", b"chunkedx", (400,)),
    ("quoted", b'"chunked"', (400,)),
    ("vertical tab", b"\x0bchunked", (400,)),
    ("parameter", b"chunked;a=b", (400,)),
    ("empty", b"", (400,)),
    ("comma", b",chunked", (400,)),
    ("bytes", b"chunked\xff", (400,)),
]

CHUNKS: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("one", b"3\r\nabc\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("none", b"0\r\n\r\n", (UNDERSTOOD,)),
    ("two", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("capital size", b"A\r\n0123456789\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("leading zeros", b"0003\r\nabc\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("many zeros at the end", b"3\r\nabc\r\n0000\r\n\r\n", (UNDERSTOOD,)),
    ("extension", b"3;a=b\r\nabc\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("extension without value", b"3;a\r\nabc\r\n0\r\n\r\n", (UNDERSTOOD,)),
    ("quoted extension", b'3;a="b;c"\r\nabc\r\n0\r\n\r\n', (UNDERSTOOD,)),
    ("extension with LF", b"3;a\nabc\r\n0\r\n\r\n", (400,)),
    ("extension with CR", b"3;a\rb\r\nabc\r\n0\r\n\r\n", (400,)),
    ("extension with NUL", b"3;\0\r\nabc\r\n0\r\n\r\n", (400,)),
    ("trailer", b"3\r\nabc\r\n0\r\na: b\r\n\r\n", (UNDERSTOOD,)),
    ("trailer that would authorize", b"0\r\nauthorization: Bearer TOKEN\r\n\r\n", (UNDERSTOOD,)),
    ("trailer with a length", b"0\r\ncontent-length: 5\r\n\r\n", (400,)),
    ("trailer, folded", b"0\r\na: b\r\n c\r\n\r\n", (400,)),
    ("trailer without colon", b"0\r\nabc\r\n\r\n", (400,)),
    ("no size", b"\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size ZZZ", b"ZZZ\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size 0x3", b"0x3\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size -1", b"-1\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size +3", b"+3\r\nabc\r\n0\r\n\r\n", (400,)),
    ("space before the size", b" 3\r\nabc\r\n0\r\n\r\n", (400,)),
    ("space behind the size", b"3 \r\nabc\r\n0\r\n\r\n", (400,)),
    ("tab behind the size", b"3\t\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size with an underscore", b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", (400,)),
    ("size beyond 64 bits", b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n", (400,)),
    ("size 2^64 + 3", b"10000000000000003\r\nabc\r\n0\r\n\r\n", (400,)),
    ("huge", b"ffffffff\r\n" + b"x" * 100_000, (413,)),
    ("too long", b"8000\r\n" + b"x" * 0x8000 + b"\r\n0\r\n\r\n", (413,)),
    ("too long in all", b"1000\r\n" + b"x" * 0x1000 + b"\r\n" + (b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 4, (413,)),
    ("LF behind the size", b"3\nabc\r\n0\r\n\r\n", (400,)),
    ("LF behind the data", b"3\r\nabc\n0\r\n\r\n", (400,)),
    ("LF at the end", b"3\r\nabc\r\n0\r\n\n", (400,)),
    ("CR alone behind the size", b"3\rabc\r\n0\r\n\r\n", (400,)),
    ("longer than its size", b"3\r\nabcd\r\n0\r\n\r\n", (400,)),
    ("shorter than its size", b"4\r\nabc\r\n0\r\n\r\n", (400,)),
    ("cut before its end", b"3\r\nabc\r\n", (400,)),
    ("cut inside a chunk", b"5\r\nabc", (400,)),
    ("cut inside the size", b"5", (400,)),
    ("cut behind the size", b"5\r\n", (400,)),
    ("cut before the last line", b"3\r\nabc\r\n0\r\n", (400,)),
    ("cut inside a trailer", b"0\r\na: b\r\n", (400,)),
    ("nothing at all", b"", (400,)),
]

WHOLE: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("nothing", b"", ()),
    ("empty lines before", b"\r\n\r\n" + OK, (200,)),
    ("only empty lines", b"\r\n\r\n\r\n", ()),
    ("HTTP/1.0", b"GET /livez HTTP/1.0\r\n\r\n", (200,)),
    ("HTTP/1.0 that would stay", b"GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", (200,)),
    ("HTTP/1.0 with chunks", b"POST /livez HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    ("HTTP/0.9", b"GET /livez\r\n", (400,)),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", (400,)),
    ("LF only", b"GET /livez HTTP/1.1\nhost: x\n\n", (400,)),
    ("LF at the end", b"GET /livez HTTP/1.1\r\nhost: x\r\n\n", (400,)),
    ("cut in the line", b"GET /liv", (400,)),
    ("cut in a header", b"GET /livez HTTP/1.1\r\nho", (400,)),
    ("cut before the end of the head", b"GET /livez HTTP/1.1\r\nhost: x\r\n", (400,)),
    ("two", OK + OK, (200, 200)),
    ("ten", OK * 10, (200,) * 10),
    ("two, an empty line between", OK + b"\r\n" + OK, (200, 200)),
    ("the second broken", OK + b"GET\r\n\r\n", (200, 400)),
    ("the second cut", OK + OK[:20], (200, 400)),
    ("the second without host", OK + b"GET /livez HTTP/1.1\r\n\r\n", (200, 400)),
    ("behind a close", OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + SMUGGLED, (200,)),
    ("behind HTTP/1.0", b"GET /livez HTTP/1.0\r\n\r\n" + SMUGGLED, (200,)),
    ("behind a refused head", b"GET /livez HTTP/1.1\r\n\r\n" + SMUGGLED, (400,)),
    ("behind a body that is too long", _post(b"content-length: 99999") + SMUGGLED, (413,)),
    (
        "behind an upgrade",
        _get(b"GET /livez HTTP/1.1", b"host: x", b"connection: upgrade", b"upgrade: h2c") + SMUGGLED,
        (200,),
    ),
    ("behind a CONNECT", b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED, (400,)),
    ("behind a length", _post(b"content-length: 3", body=b"abc") + OK, (UNDERSTOOD, 200)),
    ("behind chunks", _chunked(b"3\r\nabc\r\n0\r\n\r\n") + OK, (UNDERSTOOD, 200)),
    ("a body that looks like a request", _post(b"content-length: %d" % len(SMUGGLED), body=SMUGGLED), (UNDERSTOOD,)),
    ("a GET with a body", _get(b"GET /livez HTTP/1.1", b"host: x", b"content-length: 3") + b"abc" + OK, (200, 200)),
    (
        "both lengths, then a request",
        _post(b"content-length: 5", b"transfer-encoding: chunked", body=b"0\r\n\r\n") + SMUGGLED,
        (400,),
    ),
    ("two lengths, then a request", _post(b"content-length: 0", b"content-length: 36", body=SMUGGLED), (400,)),
    ("a coding that is hidden", _post(b"transfer-encoding : chunked", body=b"0\r\n\r\n" + SMUGGLED), (400,)),
    ("a coding behind a bare LF", _post(b"a: b\ntransfer-encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), (400,)),
    ("a coding behind a bare CR", _post(b"a: b\rtransfer-encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), (400,)),
    ("a length behind a NUL", _post(b"a: b\0content-length: 36", body=SMUGGLED), (400,)),
    ("a length with an underscore in its name", _post(b"content_length: 36", body=SMUGGLED), (UNDERSTOOD, 404)),
    ("a relayed one", b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" * 3, (404, 404, 404)),
    ("a relayed one between", OK + b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" + OK, (200, 404, 200)),
    (
        "a relayed POST with a body",
        b"POST /v1/auth/wechat HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}" + OK,
        (422, 200),
    ),
    (
        "a relayed POST in chunks",
        b"POST /v1/auth/wechat HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + OK,
        (422, 200),
    ),
    (
        "a relayed POST with an Expect",
        b"POST /v1/auth/wechat HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
        (422,),
    ),
    ("a relayed HEAD", b"HEAD /schema HTTP/1.1\r\nhost: x\r\n\r\n" + OK, (200, 200)),
    ("a relayed OPTIONS", b"OPTIONS /v1/me/orders HTTP/1.1\r\nhost: x\r\n\r\n" + OK, (204, 200)),
]

CASES: list[Case] = [
    *(Case(f"line: {name}", _get(line, b"host: x"), statuses) for name, line, statuses in LINES),
    *(Case(f"header: {name}", _get(b"GET /livez HTTP/1.1", *lines), statuses) for name, lines, statuses in HEADERS),
    *(Case(f"length: {name}", _post(*lines, body=body), statuses) for name, lines, body, statuses in LENGTHS),
    *(
        Case(f"coding: {name}", _post(b"transfer-encoding: " + coding, body=b"0\r\n\r\n"), s)
        for name, coding, s in CODINGS
    ),
    *(Case(f"chunks: {name}", _chunked(body), statuses) for name, body, statuses in CHUNKS),
    *(Case(name, sent, statuses) for name, sent, statuses in WHOLE),
]
