"""Knowledge from files into the store: CSV, TSV, JSONL or Parquet with three columns, RDF, and Google's product taxonomy."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.extras import require
from shopkeeper.store.codec import ID_LIMIT
from shopkeeper.store.feeds.formats import open_file
from shopkeeper.store.feeds.items import guess_language
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject, RejectsFile
from shopkeeper.store.feeds.report import ImportReport, StrictImportError
from shopkeeper.store.feeds.sources import TextSource, open_bytes, unreadable
from shopkeeper.store.knowledge import Triple
from shopkeeper.store.protocols import Changes, Triples

FORMATS: Final = ("auto", "csv", "tsv", "jsonl", "parquet", "ntriples", "turtle", "rdfxml", "taxonomy")
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "head": ("head", "subject", "from", "source", "item", "head_id", "s", "主体", "头实体"),
    "relation": ("relation", "predicate", "property", "type", "relation_id", "p", "关系"),
    "tail": ("tail", "object", "to", "target", "value", "tail_id", "o", "客体", "尾实体"),
}
"""Names of the three columns, in order of preference."""

_SUFFIXES: Final = {".nt": "ntriples", ".ttl": "turtle", ".rdf": "rdfxml", ".owl": "rdfxml"}
_RDFLIB: Final = {"turtle": "turtle", "rdfxml": "xml"}
_LABEL: Final = "http://www.w3.org/2000/01/rdf-schema#label"
_BATCH, _CELL = 5_000, 10_000
_NUMBERED: Final = re.compile(r"(\d+)\s+-\s+(\S.*)")
_VERSION: Final = "# Google_Product_Taxonomy_Version"
_LINE: Final = re.compile(r"at line (\d+)|<unknown>:(\d+)|line (\d+)")

_Numbered = tuple[int, "Triple | Reject"]


def import_triples(
    path: Path,
    triples: Triples,
    *,
    rejects: Path,
    format: str = "auto",  # noqa: A002 - the user's word
    mapping: Mapping[str, str] | None = None,
    base: str = "",
    strict: bool = False,
) -> ImportReport:
    """Import triples. Bad rows go to the rejects file with their line; the same file again changes nothing.

    Tables and N-Triples are streamed. Turtle and RDF/XML are held in memory by rdflib, about 1.5 kB a triple, and are
    refused whole where their syntax is broken.

    Args:
        path: The file, perhaps gzipped.
        triples: Where they go; their source is the file's name.
        rejects: Where refused rows are listed; made only when there are any.
        format: ``auto`` (by ending, a ``.txt`` by its first line), ``csv``, ``tsv``, ``jsonl``, ``parquet``, ``ntriples``,
            ``turtle``, ``rdfxml`` or ``taxonomy`` (lines such as ``784 - Media > Books``, as Google publishes them in every
            language, or the same without numbers).
        mapping: ``head``, ``relation`` and ``tail`` to the columns that hold them, where `COLUMNS` guesses wrong.
        base: RDF only: cut from the front of addresses, e.g. ``http://shop.example/item/`` where item ids follow it; of others
            the part after the last ``/`` or ``#`` is kept for relations, the whole address for entities.
        strict: Write nothing at all when any row is bad.

    Raises:
        StrictImportError: `strict`, and there are bad rows.
        InputError: The file as a whole cannot be used.
        ExtraMissingError: RDF, and rdflib is not installed.
    """
    if format not in FORMATS:
        raise InputError(f"There is no format {format!r}.", where=str(path), cure=f"Say one of: {', '.join(FORMATS)}.")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    kind = format
    if format == "auto":
        kind = "taxonomy" if suffix == ".txt" and _is_taxonomy(path) else _SUFFIXES.get(suffix, "table")
    if strict:
        checked = _pass(path, None, kind, rejects, mapping or {}, base)
        if checked.rejected:
            raise StrictImportError(checked)
    return _pass(path, triples, kind, rejects, mapping or {}, base)


def _pass(
    path: Path, triples: Triples | None, kind: str, rejects: Path, mapping: Mapping[str, str], base: str
) -> ImportReport:
    began = time.perf_counter()
    rows, done = 0, Changes()
    with RejectsFile(rejects, path) as bad, progress.span("import triples", unit="rows") as span:
        read = iter(_read(path, kind, mapping, base))
        while batch := list(itertools.islice(read, _BATCH)):
            rows += len(batch)
            good: list[Triple] = []
            for number, found in batch:
                checked = found if isinstance(found, Reject) else _checked(found)
                if isinstance(checked, Reject):
                    bad.add(number, checked)
                else:
                    good.append(checked)
            if triples is not None and good:
                changes = triples.put(good)
                done = Changes(
                    done.added + changes.added, done.updated + changes.updated, done.unchanged + changes.unchanged
                )
            span.advance(len(batch), rejected=bad.count)
    return ImportReport(
        file=path.name,
        kind="triples",
        format=kind,
        rows=rows,
        added=done.added,
        updated=done.updated,
        unchanged=done.unchanged,
        removed=0,
        rejected=bad.count,
        reasons=dict(bad.reasons.most_common()),
        skipped={},
        rejects=rejects if bad.count else None,
        mapping=ColumnMapping(),
        complete=not bad.broken,
        seconds=time.perf_counter() - began,
    )


def _checked(triple: Triple) -> Triple | Reject:
    for column in ("head", "relation", "tail"):
        value: str = getattr(triple, column)
        if not value:
            return Reject("missing value", column)
        if len(value) > ID_LIMIT:
            return Reject("too long", column, value)
        if "\x00" in value or not value.isprintable():
            return Reject("control character", column, value)
    if len((triple.head + triple.relation + triple.tail).encode()) > 2_000:
        return Reject("too long", "tail", triple.tail)
    return triple


def _read(path: Path, kind: str, mapping: Mapping[str, str], base: str) -> Iterator[_Numbered]:
    if kind == "ntriples":
        return _ntriples(path, base)
    if kind in _RDFLIB:
        return _rdf(path, kind, base)
    if kind == "taxonomy":
        return _taxonomy(path)
    return _table(path, "auto" if kind == "table" else kind, mapping)


def _table(path: Path, kind: str, mapping: Mapping[str, str]) -> Iterator[_Numbered]:
    with open_file(path, "triples", kind, _CELL) as opened:
        columns = _columns(opened.columns, mapping, path) if opened.columns else {}
        for number, row in opened.rows:
            yield number, row if isinstance(row, Reject) else _triple(row, columns, path.name)


def _triple(row: Mapping[str, Any], columns: Mapping[str, str], source: str) -> Triple | Reject:
    parts = []
    for column in columns.values():
        value = row.get(column)
        if value is None or isinstance(value, bool | dict | list):
            return Reject("missing value" if value is None else "not a text", column, value)
        parts.append(str(value).strip())
        if not parts[-1]:
            return Reject("missing value", column)
    head, relation, tail = parts
    return Triple(head, relation, tail, source)


def _columns(found: tuple[str, ...], mapping: Mapping[str, str], path: Path) -> dict[str, str]:
    plain = {name.strip().casefold(): name for name in reversed(found)}
    columns = {}
    for field, names in COLUMNS.items():
        told = mapping.get(field)
        column = (
            (told if told in found else None) if told else next((plain[name] for name in names if name in plain), None)
        )
        if column is None:
            raise InputError(
                f"There is no column {told!r}." if told else f"No column looks like the {field} of a triple.",
                where=f"{path}, columns {', '.join(found)}",
                cure=f"Name the columns head, relation, tail, or say --map {field}=COLUMN.",
            )
        columns[field] = column
    return columns


def _ntriples(path: Path, base: str) -> Iterator[_Numbered]:
    parser = require("rdflib.plugins.parsers.ntriples", "graph")
    source = TextSource(path)
    caught: list[tuple[Any, Any, Any]] = []

    class Sink:
        def triple(self, head: object, relation: object, tail: object) -> None:
            caught.append((head, relation, tail))

    reader = parser.W3CNTriplesParser(Sink())
    try:
        for number, line in enumerate(source.lines(), 1):
            caught.clear()
            try:
                reader.parsestring(line if line.endswith("\n") else line + "\n")
            except parser.ParseError as error:
                yield number, Reject("broken N-Triples", value=f"{error}: {line.strip()}")
            for one in caught:
                yield number, _plain(one, base, path.name)
    except Reject as reject:
        yield 0, reject
    finally:
        source.close()


def _rdf(path: Path, kind: str, base: str) -> Iterator[_Numbered]:
    rdflib = require("rdflib", "graph")
    graph = rdflib.Graph()
    try:
        with open_bytes(path) as file:
            graph.parse(file, format=_RDFLIB[kind], publicID=base or "urn:shop:")
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # rdflib lets errors of several parsers through  # noqa: BLE001
        text = " ".join(str(error).split())
        line = getattr(error, "lines", None)
        place = _LINE.search(text)
        number = line + 1 if isinstance(line, int) else next((int(n) for n in place.groups() if n), 0) if place else 0
        where = f"{path}, line {number}" if number else str(path)
        raise InputError(f"The {kind} cannot be read: {text[:200]}.", where=where, cure="Correct the line.") from None
    for number, one in enumerate(graph, 1):
        yield number, _plain(one, base, path.name)


def _plain(triple: tuple[Any, Any, Any], base: str, source: str) -> Triple:
    """An RDF triple as names: addresses shortened, literals as their text, rdfs:label as ``label`` or ``label@zh``."""
    head, relation, tail = triple
    name = _short(str(relation), base)
    if str(relation) == _LABEL:
        language = (getattr(tail, "language", None) or "").partition("-")[0].lower()
        name = "label@zh" if language == "zh" else "label"
    entity = type(tail).__name__ != "Literal"
    return Triple(_name(str(head), base), name, _name(str(tail), base) if entity else str(tail), source)


def _short(address: str, base: str) -> str:
    cut = _name(address, base)
    return cut if cut != address else re.split(r"[/#]", address.rstrip("/#"))[-1]


def _name(address: str, base: str) -> str:
    return address.removeprefix(base) if base else address


def _is_taxonomy(path: Path) -> bool:
    source = TextSource(path)
    try:
        first = next(source.lines(), "")
    except Reject:
        return False
    finally:
        source.close()
    return first.startswith(_VERSION) or _NUMBERED.match(first) is not None


def _taxonomy(path: Path) -> Iterator[_Numbered]:
    """Google's file: numbers become nodes, see `_nodes`; paths without numbers are categories below one another."""
    source = TextSource(path)
    lines: list[tuple[int, str]] = []
    try:
        for number, line in enumerate(source.lines(), 1):
            if (text := line.strip()) and not text.startswith("#"):
                lines.append((number, text))
    except Reject as reject:
        yield 0, reject
    finally:
        source.close()
    if lines and _NUMBERED.match(lines[0][1]):
        yield from _nodes(lines, path.name)
        return
    for number, text in lines:
        names = _path(text)
        if not all(names):
            yield number, Reject("malformed path", value=text)
        elif len(names) > 1:
            yield number, Triple(_category(names), "parent", _category(names[:-1]), path.name)


def _nodes(lines: Sequence[tuple[int, str]], source: str) -> Iterator[_Numbered]:
    """Each line's node below that of the path above, which may stand anywhere in the file, its name, and its path tied to it.

    A path too long to be kept is left out: its node is still found by number. No line can stand above itself, for a number and a
    path count once.
    """
    numbers: dict[tuple[str, ...], str] = {}
    read: list[tuple[int, str, tuple[str, ...]]] = []
    taken: set[str] = set()
    for line, text in lines:
        found = _NUMBERED.fullmatch(text)
        names = _path(found[2]) if found else ()
        if found is None or not all(names):
            yield line, Reject("malformed taxonomy line", value=text)
        elif found[1] in taken or names in numbers:
            yield line, Reject("duplicate id" if found[1] in taken else "duplicate path", value=text)
        else:
            numbers[names] = found[1]
            taken.add(found[1])
            read.append((line, found[1], names))
    chinese = sum(guess_language(names[-1]) == "zh" for _, _, names in read) > len(read) / 2
    for line, number, names in read:
        node = f"google_taxonomy={number}"
        above = numbers.get(names[:-1])
        if len(names) > 1 and above is None:
            yield line, Reject("unknown parent", value=" > ".join(names[:-1]))
            continue
        if above is not None:
            yield line, Triple(node, "parent", f"google_taxonomy={above}", source)
        yield line, Triple(node, "label@zh" if chinese else "label", names[-1], source)
        if len(path := _category(names)) <= ID_LIMIT:
            yield line, Triple(path, "google_taxonomy", node, source)


def _path(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(">"))


def _category(names: Sequence[str]) -> str:
    return f"category={' > '.join(names)}"
