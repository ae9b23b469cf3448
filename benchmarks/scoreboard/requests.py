"""Requests that were silently read as something else, or that make two servers disagree."""

import json
import re
import zlib
from collections import Counter

from benchmarks.scoreboard import image_bombs, inputs
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import FORM, JSON, NPY, RAW
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import Answer, exchange, post, read_all, request

UPGRADES: tuple[dict[str, str], ...] = (
    {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
    {"Connection": "Upgrade", "Upgrade": "websocket"},
    {"Connection": "Upgrade", "Upgrade": "foo/2"},
)
MAX_SERIES = 100


def _upgrade(arena: Arena) -> Measured:
    """Send bodies with an offer to change the protocol, as Java's client and `curl --http2` do."""
    lost = []
    with arena.server() as server:
        plain = post(server, "/predict", bytes(784), RAW)
        for headers in UPGRADES:
            found = post(server, "/predict", bytes(784), RAW, 30, **headers)
            lost += [] if found.body == plain.body else [f"/predict {headers['Upgrade']}: {found.status}"]
            train = post(server, "/train", b'{"promote":"never"}', JSON, 30, **headers)
            is_kept = train.status == 202 and json.loads(train.body)["promote"] == "never"
            lost += [] if is_kept else [f"/train {headers['Upgrade']}: {train.status}"]
    return Measured(
        f"/predict and /train with {len(UPGRADES)} kinds of Connection: Upgrade",
        f"{len(lost)} of {2 * len(UPGRADES)} bodies lost{_listed(lost)}",
        not lost,
    )


def _unread_parameters(arena: Arena) -> Measured:
    body = bytes(784)
    form = inputs.form(1, image_bombs.png(28, 28))
    with_field = _form_with_field(form, b"fit", b"mnist")
    calls: tuple[tuple[str, str, bytes, str], ...] = (
        ("POST", "/train?recipe=accurate", b"{}", JSON),
        ("POST", "/predict?Fit=mnist", body, RAW),
        ("POST", "/predict?fitt=mnist", body, RAW),
        ("POST", "/explain?digits=3", body, RAW),
        ("GET", "/versions?pagesize=3", b"", ""),
        ("POST", "/predict", with_field, FORM),
        ("POST", "/predict?fit=mnist&fit=strict", body, RAW),
    )
    wrong = []
    with arena.server() as server:
        for method, path, content, kind in calls:
            found = exchange(server, request(method, path, content, **({"Content_Type": kind} if kind else {})))
            takes_form = content is with_field and found.status == 200 and b"normalized" in found.body
            if not (found.status == 422 and found.is_problem) and not takes_form:
                wrong.append(f"{path}: {found.status}")
    return Measured(
        f"{len(calls)} calls with a parameter or a field that does not exist, or twice",
        f"{len(wrong)} were read without it{_listed(wrong)}",
        not wrong,
    )


def _form_with_field(form: bytes, name: bytes, value: bytes) -> bytes:
    boundary = b"--" + inputs.BOUNDARY.encode()
    field = b'\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
    return boundary + field + form


def _disguised(arena: Arena) -> Measured:
    """Send files of other kinds as raw pixels."""
    png = image_bombs.png(28, 28)
    padded = png[:-12] + image_bombs.png_chunk(b"teSt", bytes(784 - len(png) - 12)) + png[-12:]
    arrays = {
        "a PNG of 784 bytes": padded,
        "one image of float32": b"\0\0\x80\x3f" * 784,
        "a zip file": b"PK\x03\x04" + bytes(780),
        "a gzip file": (zlib.compress(b"x", wbits=31) + bytes(784))[:784],
        "a JPEG": b"\xff\xd8\xff\xe0" + bytes(780),
        "an npy file": (b"\x93NUMPY\x01\0" + bytes(784))[:784],
    }
    taken = []
    with arena.server() as server:
        for name, content in arrays.items():
            found = post(server, "/predict", content, RAW)
            is_one_picture = "PNG" in name and found.status == 200  # its own type may be recognized
            taken += [] if 400 <= found.status < 500 or is_one_picture else [f"{name}: {found.status}"]
    return Measured(
        f"{len(arrays)} other files as octet-stream", f"{len(taken)} read as pixels{_listed(taken)}", not taken
    )


def _types(arena: Arena) -> Measured:
    """Send values of a type that only looks right."""
    overrides = (
        '{"seed":false}',
        '{"training_steps":true}',
        '{"learning_rate":"0.1"}',
        '{"training_steps":1e400}',
        '{"warmup_steps":500,"training_steps":100}',
        '{"seed":1,"seed":2}',
        '{"learning_rate":NaN}',
        '{"batch_size":1.5}',
    )
    bodies = [f'{{"overrides":{each}}}'.encode() for each in overrides]
    bodies += ['{"promote":"never"}'.encode("utf-16"), '{"promote":"never"}'.encode("utf-32"), b'{"promote":"never"} x']
    bodies += [b'{"promote":"never","promote":"always"}', b"\xff\xfe", b"[]", b"true", b'"{}"']
    images = [
        b'{"images":[[' + each + b",0" * 783 + b"]]}" for each in (b"true", b'"1"', b"null", b"256", b"-1", b"NaN")
    ]
    shapes = (
        "(True, 28, 28)",
        "(-1, 28, 28)",
        "(1e0, 28, 28)",
        "(28.0, 28)",
        "(1, 28, 28, 0)",
        "(10**9, 28, 28)",
        "()",
    )
    npys = [_npy_of(shape) for shape in shapes]
    with arena.server() as server:
        answers = [post(server, "/train", body, JSON) for body in bodies]
        answers += [post(server, "/predict", body, JSON) for body in images]
        answers += [post(server, "/predict", body, NPY) for body in npys]
    sent = [*bodies, *images, *npys]
    wrong = [repr(body[:44]) for body, found in zip(sent, answers, strict=True) if not 400 <= found.status < 500]
    return Measured(f"{len(sent)} bodies of wrong types", f"{len(wrong)} not refused{_listed(wrong)}", not wrong)


def _npy_of(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + bytes(784)


def _problems(arena: Arena) -> Measured:
    """Cause errors at every level, from the parser to the routes."""
    raw = (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        request("GET", "/nothing"),
        request("PATCH", "/predict", b"x"),
        request("BREW", "/predict"),
        request("POST", "/predict", b"x", Content_Type="text/plain"),
        request("POST", "/predict", b"x", Content_Type=RAW),
        request("POST", "/predict", b"{", Content_Type=JSON),
        request("GET", "/versions/99999999999999999999"),
        request("GET", "/train/1"),
        request("GET", "/docs/assets/nothing"),
        request("POST", "/predict", b"", Content_Type=RAW, Content_Length="99999999999"),
    )
    wrong = []
    with arena.server() as server:
        for data in raw:
            found = exchange(server, data, 5)
            if not (found.is_problem and 400 <= found.status < 500 and _is_whole(found)):
                wrong.append(f"{data[:30]!r}: {found.status} {found.headers.get('content-type', '')}")
    return Measured(
        f"{len(raw)} errors, from a malformed request line to an unknown path",
        f"{len(wrong)} without problem+json{_listed(wrong)}",
        not wrong,
    )


def _is_whole(answer: Answer) -> bool:
    """Return whether a problem has its members."""
    return {"title", "status", "detail"} <= json.loads(answer.body).keys()


def _forged_log(arena: Arena) -> Measured:
    paths = (
        "/x%0d%0aFORGED",
        "/x%0aFORGED",
        "/x%0D%0AFORGED%20line",
        "/versions/%0aFORGED",
        "/x%e2%80%a8FORGED",
        "/x%1b[2J",
    )
    with arena.server("--access-log") as server:
        for path in paths:
            exchange(server, request("GET", path, X_Request_ID="scoreboard-id"))
            exchange(server, request("GET", "/x", X_Request_ID=f"a{path[2:]}", User_Agent=path))
        server.process.wait_for(lambda: server.log.count("scoreboard-id") >= 1)
        lines = re.split(r"[\r\n\u2028]", server.log)
        escapes = server.log.count("\x1b[2J")
    forged = sum(line.lstrip().startswith("FORGED") for line in lines)
    return Measured(
        f"{len(paths)} paths with line breaks and escape sequences, with the access log",
        f"{forged} forged lines, {escapes} escape sequences; the client's request id is in the log",
        not forged and not escapes,
    )


def _smuggling(arena: Arena) -> Measured:
    """Send requests whose length two servers would read differently, each with a second request inside."""
    inner = b"GET /livez?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    length = str(len(inner)).encode()
    chunked = b"0\r\n\r\n" + inner
    ambiguous = {
        "both lengths": (b"Content-Length: " + str(len(chunked)).encode() + b"\r\nTransfer-Encoding: chunked", chunked),
        "two lengths": (b"Content-Length: 0\r\nContent-Length: " + length, inner),
        "list of lengths": (b"Content-Length: 0, " + length, inner),
        "signed length": (b"Content-Length: +" + length, inner),
        "hexadecimal length": (b"Content-Length: 0x10", inner),
        "space before the colon": (b"Content-Length : " + length, inner),
        "odd coding": (b"Transfer-Encoding: xchunked\r\nContent-Length: " + length, inner),
        "coding twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked),
        "coding hidden": (b"Transfer-Encoding: identity, chunked, identity", chunked),
        "coding folded": (b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 0", chunked),
        "tab before the value": (b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 0", chunked),
        "chunk size overflow": (b"Transfer-Encoding: chunked", b"1" + b"0" * 16 + b"\r\n" + inner),
        "chunk size signed": (b"Transfer-Encoding: chunked", b"-1\r\n" + inner),
        "bare line feeds": (b"Content-Length: 0\nX: y", inner),
    }
    smuggled = []
    with arena.server() as server:
        for name, (headers, body) in ambiguous.items():
            received = read_all(
                server, b"POST /predict HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n" + body, 1
            )
            if b"HTTP/1.1 200" in received:
                smuggled.append(name)
    return Measured(
        f"{len(ambiguous)} requests of ambiguous length, with a second request inside",
        f"{len(smuggled)} answered the inner request{_listed(smuggled)}",
        not smuggled,
    )


def _traversal(arena: Arena) -> Measured:
    """Ask for files outside of the page and its assets."""
    prefixes = ("/", "/page/x/", "/docs/assets/", "/versions/", "/page/", "/problems/")
    steps = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//", "..%252f", "%c0%ae%c0%ae/")
    targets = ("etc/passwd", "pyproject.toml", "api_key", "inkling.db")
    leaks: Counter[str] = Counter()
    with arena.server() as server:
        count = 0
        for prefix in prefixes:
            for step in steps:
                for target in targets:
                    found = exchange(server, request("GET", prefix + step * 6 + target), 5)
                    count += 1
                    is_leak = found.status == 200 or b"root:" in found.body or b"[project]" in found.body
                    leaks[prefix] += is_leak or found.status >= 500
    return Measured(
        f"{count} paths out of the folders that are served",
        f"{sum(leaks.values())} answered with a file or an error of the server",
        not sum(leaks.values()),
    )


def _labels(arena: Arena) -> Measured:
    random = arena.random("labels")
    count = arena.count(1_000, 200)
    with arena.server() as server:
        before = _series(server)
        for i in range(count):
            method = random.choice(["GET", "POST", "BREW", f"M{i}"])
            exchange(server, request(method, f"/nothing-{i}/{random.random()}"), 5)
            exchange(server, request("GET", f"/train/{i}"), 5)
        after = _series(server)
    return Measured(
        f"{2 * count:,} requests of invented methods and paths",
        f"{after - before} new time series in /metrics",
        after - before < MAX_SERIES,
    )


def _series(server: Server) -> int:
    answer = exchange(server, request("GET", "/metrics", Accept="text/plain"))
    return sum(not line.startswith("#") for line in answer.body.decode().splitlines())


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})" if names else ""


ATTACKS = (
    Attack("upgrade", "Bodies lost by an offered upgrade (h2c)", "every body is read", _upgrade),
    Attack("unread-parameters", "Parameters that nobody reads", "422 that names it", _unread_parameters),
    Attack("disguised-files", "Other files sent as raw pixels", "refused, or read by their own type", _disguised),
    Attack("wrong-types", "Values of a wrong type", "4xx", _types),
    Attack("problems", "Errors that are not problem+json", "problem+json, 4xx", _problems),
    Attack("forged-log", "Log lines forged by a path", "none; the log knows the request id", _forged_log),
    Attack("smuggling", "Request smuggling", "the inner request is never answered", _smuggling),
    Attack("traversal", "Path traversal", "404 or 4xx", _traversal),
    Attack("labels", "Label cardinality of the metrics", f"fewer than {MAX_SERIES} new series", _labels),
)
