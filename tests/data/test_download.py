"""Downloads from a local server: resumed, checked, whole or absent; no test needs a network."""

import hashlib
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import urlparse

import pytest
from helpers import tiny_profile  # noqa: F401  (also limits torch to one thread)

from tblib.__main__ import main
from tblib.data import download
from tblib.errors import DataError

CONTENT = bytes(range(256)) * 40_000  # ten megabytes: several blocks


class Server:
    """A file on a server; `cut` bytes are sent before the connection breaks, once."""

    def __init__(self):
        self.content, self.version, self.cut, self.ranges = CONTENT, '"one"', None, True
        self.asked: list[str | None] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        same = request.headers.get("If-Range") == self.version
        start = start if self.ranges and same else 0
        if start and start >= len(self.content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.content)}")
            request.end_headers()
            return
        rest = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(rest)))
        request.send_header("ETag", self.version)
        request.end_headers()
        request.wfile.write(rest[: self.cut])
        if self.cut is not None:
            self.cut = None
            request.close_connection = True


@pytest.fixture
def server(monkeypatch):
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404) if self.path == "/none.rar" else state.answer(self)

        def log_message(self, *_): ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield state
        http.shutdown()
        thread.join()


def source(server, name="file.rar", content=CONTENT):
    digest = hashlib.sha256(content).hexdigest()
    return download.Source(f"{server.url}/{name}", digest, "", "done.")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix not in (".lock", ".holder"))


def interrupted(server, folder, cut=3_000_000):
    server.cut = cut
    with pytest.raises(DataError, match="the same command goes on"):
        download.fetch(source(server), folder)


def test_a_file_gets_its_name_when_it_is_whole_and_is_not_fetched_twice(server, tmp_path):
    path, digest = download.fetch(source(server), tmp_path)
    assert path.read_bytes() == CONTENT and digest == source(server).sha256
    assert names(tmp_path) == ["file.rar"]
    assert download.fetch(source(server), tmp_path) == (path, digest)
    assert server.asked == [None]


def test_an_interrupted_download_asks_for_the_rest_only(server, tmp_path):
    interrupted(server, tmp_path)
    assert names(tmp_path) == [".file.rar.part", ".file.rar.part.json"]
    got = (tmp_path / ".file.rar.part").stat().st_size
    assert 0 < got <= 3_000_000
    path, _ = download.fetch(source(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={got}-"]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(server, tmp_path):
    interrupted(server, tmp_path)
    server.content, server.version = CONTENT[::-1][:5_000_000], '"two"'
    path, _ = download.fetch(source(server, content=server.content), tmp_path)
    assert path.read_bytes() == server.content


def test_a_server_without_ranges_costs_time_and_nothing_else(server, tmp_path):
    interrupted(server, tmp_path)
    server.ranges = False
    assert download.fetch(source(server), tmp_path)[0].read_bytes() == CONTENT


def test_a_server_without_versions_begins_anew(server, tmp_path):
    """Two halves of two files cannot be told apart if no sum is published."""
    server.version = ""
    interrupted(server, tmp_path)
    assert download.fetch(source(server), tmp_path)[0].read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_killed_after_the_last_byte_it_only_gets_its_name(server, tmp_path):
    interrupted(server, tmp_path)
    (tmp_path / ".file.rar.part").write_bytes(CONTENT)
    assert download.fetch(source(server), tmp_path)[0].read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={len(CONTENT)}-"


@pytest.mark.parametrize("there", [False, True])
def test_a_wrong_sum_is_named_and_removed(server, tmp_path, there):
    if there:
        (tmp_path / "file.rar").write_bytes(b"something else")
    server.content = CONTENT + b"!"
    with pytest.raises(DataError, match=r"not the published file: its SHA-256 is \w{12}…"):
        download.fetch(source(server), tmp_path)
    assert not (tmp_path / "file.rar").exists() and not (tmp_path / ".file.rar.part").exists()


def test_refused_absent_and_too_large_are_sentences(server, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="was refused \\(404 Not Found\\); see the page"):
        download.fetch(source(server, "none.rar"), tmp_path)
    gone = download.Source("http://127.0.0.1:9/file.rar", "", "", "")
    with pytest.raises(DataError, match="cannot be downloaded .*the same command goes on"):
        download.fetch(gone, tmp_path)
    free = type("Usage", (), {"free": 5_000_000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: free)
    with pytest.raises(DataError, match="has 5.0 MB free, 10 MB are needed"):
        download.fetch(source(server), tmp_path)


def test_the_command_unpacks_lists_and_tells_what_is_next(server, tmp_path, monkeypatch, capsys):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ucfTrainTestlist/classInd.txt", "1 Walk\n")
    server.content = packed.getvalue()
    one = source(server, "lists.zip", server.content)
    monkeypatch.setitem(download.SOURCES, "ucf101-lists", one)
    assert main(["data", "get", "ucf101-lists", "--to", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"SHA-256 {one.sha256} (as published)" in out and "next: done." in out
    assert (tmp_path / "ucfTrainTestlist" / "classInd.txt").read_text() == "1 Walk\n"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["ucf101"], "terms that are yours to read: https://www.crcv.ucf.edu"),
        (["hmdb51"], "give the same command with --agree"),
        (["kinetics400"], "no program here downloads it"),
        (["ufc101"], "did you mean 'ucf101'"),
        ([], "say what to get: python -m tblib data get ucf101-lists | ucf101"),
    ],
)
def test_terms_forms_and_typing_mistakes_come_before_any_download(arguments, words, capsys):
    assert main(["data", "get", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_the_official_addresses_have_the_right_form():
    """Only their form: whether they answer today is not known here."""
    for one in download.SOURCES.values():
        address = urlparse(one.url)
        assert address.scheme == "https" and address.netloc.endswith(".edu")
        assert one.name.endswith((".zip", ".rar"))
        assert re.fullmatch(r"[0-9a-f]{64}|", one.sha256)
    assert [name for name, one in download.SOURCES.items() if not one.sha256] == ["ucf101"]
