"""RECORD, read and written."""

from __future__ import annotations

import csv
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wheels
from detpyc.errors import WheelError
from detpyc.wheel import record
from detpyc.wheel.record import RecordEntry

DIGEST = hashlib.sha256(b"").digest()
AWKWARD = [
    "a,b.py",
    'say "hi".py',
    "two\nlines.py",
    "naïve/日本語.py",
    " spaces .py",
    "'.py",
    "#.py",
]


@pytest.mark.parametrize("path", AWKWARD)
def test_awkward_names_come_back(path: str) -> None:
    entry = RecordEntry.of(path, DIGEST, 0)
    assert record.parse(record.serialize([entry])) == [entry]


def test_carriage_return_comes_back() -> None:
    entry = RecordEntry.of("carriage\rreturn.py", DIGEST, 0)
    assert record.parse(record.serialize([entry])) == [entry]


@pytest.mark.parametrize("path", AWKWARD)
def test_awkward_names_are_read_by_others(path: str) -> None:
    data = record.serialize([RecordEntry.of(path, DIGEST, 7)])
    digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  # of nothing, as any other tool writes it
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [[path, digest, "7"]]


@given(
    st.lists(
        st.builds(RecordEntry.of, st.text(min_size=1), st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1))
    )
)
def test_whatever_is_written_comes_back(entries: list[RecordEntry]) -> None:
    encodable = [entry for entry in entries if entry.path.isprintable()]
    assert record.parse(record.serialize(encodable)) == encodable


def test_lines_end_in_a_newline_and_the_own_row_is_bare() -> None:
    entries = [RecordEntry.of("a.py", DIGEST, 0), RecordEntry("a-1.dist-info/RECORD")]
    data = record.serialize(entries)
    assert data.endswith(b",0\na-1.dist-info/RECORD,,\n")
    assert b"\r" not in data


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system_are_read(end: str) -> None:
    assert record.parse(f"a.py,sha256=abc,1{end}RECORD,,{end}".encode()) == [
        RecordEntry("a.py", "sha256", "abc", 1),
        RecordEntry("RECORD"),
    ]


def test_every_malformed_row_is_named() -> None:
    table = [
        ("a.py", "sha256=abc", "1"),
        ("two", "fields"),
        ("", "sha256=abc", "1"),
        ("b.py", "abc", "1"),
        ("c.py", "sha256=", "1"),
        ("d.py", "=abc", "1"),
        ("e.py", "sha256=abc", "-1"),
        ("f.py", "sha256=abc", "1.5"),
        ("g.py", "sha256=abc", "٣"),
    ]
    with pytest.raises(WheelError) as caught:
        record.parse(wheels.rows(table))
    expected = ["2 fields", "names no file", "hash 'abc'", "hash 'sha256='", "hash '=abc'", "size '-1'", "'1.5'", "'٣'"]
    for (number, words), problem in zip(enumerate(expected, 2), caught.value.problems, strict=True):
        assert problem.startswith(f"RECORD is malformed: line {number} ")
        assert words in problem


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a.py,sha256=abc,1\n\xff.py,,\n", "not UTF-8 (at offset 18)"),
        (b'"a.py,sha256=abc,1\n', "not CSV"),
        (b'"a.py"x,sha256=abc,1\n', "not CSV"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(WheelError, match="RECORD is malformed") as caught:
        record.parse(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "name", ["sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"]
)
def test_strong_hashes_are_computed(name: str) -> None:
    hasher = RecordEntry("a.py", name, "abc", 1).hasher()
    hasher.update(b"content")
    assert hasher.digest() == hashlib.new(name, b"content").digest()


@pytest.mark.parametrize(
    "name",
    [
        "md5",
        "sha1",
        "sha224",
        "crc32",
        "no such",
        "sha256\0",
        "SHA1",
        "MD5",
        "shake_128",
        "SHA256",
        "sha256 ",
        "sha-256",
        "sha512_224",
        "sha512_256",
        "sm3",
        "ripemd160",
        "ssl3-sha1",
        "ssl3-md5",
        "sha-1",
        "md5-sha1",
        "RSA-SHA1",
        "2.16.840.1.101.3.4.2.4",
    ],
)
def test_other_hashes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"has the hash .*; PEP 427 requires sha256 or better, which are blake2b, "):
        RecordEntry("a.py", name, "abc", 1).hasher()


def test_digests_have_no_padding() -> None:
    assert record.encode_digest(b"\xfb\xff") == "-_8"
