"""Files as streams of text lines: encoding found out, gzip opened, endless lines cut, position known."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject

LINE_LIMIT = 32_000_000
"""Longest physical line in characters that is held in memory."""

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_HANZI = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_HANZI_SHARE = 0.8
_GZIP = b"\x1f\x8b"
_REPLACED = "\ufffd"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes become text; `damaged` says that some bytes do not, so rows need a look."""

    name: str
    damaged: bool = False


class TextSource:
    """A text file, perhaps gzipped, read once from beginning to end.

    Bytes that are not text become U+FFFD; `ruined` finds them, and only in files known to be damaged.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open_bytes(path) as file:
                self.encoding = find_encoding(file)
            self.size = path.stat().st_size
            self._raw = path.open("rb")
        except OSError as error:
            raise unreadable(path, error) from error
        unpacked = gzip.GzipFile(fileobj=self._raw) if is_gzip(path) else self._raw
        self._text = io.TextIOWrapper(cast("IO[bytes]", unpacked), self.encoding.name, errors="replace", newline="")

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.tell() if not self._raw.closed else self.size

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._raw.close()

    def lines(self) -> Iterator[str]:
        """Lines with their ends.

        Raises:
            Reject: The gzip stream is cut off or damaged, or a line is longer than `LINE_LIMIT`.
        """
        while text := self._read(line=True):
            if len(text) == LINE_LIMIT and not text.endswith("\n"):
                raise Reject("line too long", value=text[:200], fatal=True)
            yield text

    def chunks(self) -> Iterator[str]:
        """Pieces of about a million characters.

        Raises:
            Reject: The gzip stream is cut off or damaged.
        """
        while text := self._read(line=False):
            yield text

    def ruined(self, text: str) -> bool:
        """Does `text` hold characters that could not be decoded?"""
        return self.encoding.damaged and _REPLACED in text

    def _read(self, *, line: bool) -> str:
        try:
            return self._text.readline(LINE_LIMIT) if line else self._text.read(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Reject("truncated file", value=str(error), fatal=True) from error


def is_gzip(path: Path) -> bool:
    """Does the file begin as gzip files do?"""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when gzipped."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a file that the operating system does not give us."""
    return InputError(
        f"The file cannot be read ({error.strerror or error}).", where=str(path), cure="Check the path and its rights."
    )


def find_encoding(file: IO[bytes]) -> Encoding:
    """Byte-order mark, else UTF-8, else GB 18030 where the bytes look Chinese, else UTF-8 with damaged rows."""
    head = file.read(4)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, damaged=name != "utf-8-sig" or not _decodes(file, head, "utf-8"))
    if _decodes(file, head, "utf-8"):
        return Encoding("utf-8")
    file.seek(0)
    if _looks_chinese(file):
        file.seek(0)
        return Encoding("gb18030", damaged=not _decodes(file, b"", "gb18030"))
    return Encoding("utf-8", damaged=True)


def _decodes(file: IO[bytes], head: bytes, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)("strict")
    try:
        decoder.decode(head)
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return True  # cut off, which reading reports in its place
    return True


def _looks_chinese(file: IO[bytes]) -> bool:
    """Do the lines that are not UTF-8 outnumber those that are, and come in pairs of high bytes, as in GB 2312?"""
    good = bad = high = paired = 0
    try:
        while (line := file.readline(_CHUNK)) and bad < 10_000:
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                good += 1
            except UnicodeDecodeError:
                bad += 1
                high += len(_HIGH.findall(line))
                paired += 2 * len(_HANZI.findall(line))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass
    return bad > good and paired >= _HANZI_SHARE * high
