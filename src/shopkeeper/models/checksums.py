"""Seals a folder with checksums, and tells when a file in it is missing, changed or foreign."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from shopkeeper.errors import ModelError

FILE = "checksums.json"
FORMAT = 1
_KINDS = (".json", ".md", ".onnx", ".safetensors", ".txt", ".jinja", ".model", ".png")


def seal(folder: Path) -> None:
    """Write the sizes and SHA-256 sums of all files of `folder` into checksums.json.

    Raises:
        ModelError: A file is of a kind that a bundle may not hold.
    """
    files: dict[str, dict[str, Any]] = {}
    for path in _files(folder):
        if path.suffix not in _KINDS:
            raise ModelError(f"A bundle may not hold a {path.suffix or 'nameless'} file.", where=str(path))
        files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": _sum(path)}
    text = json.dumps({"format": FORMAT, "files": files}, indent=1, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def verify(folder: Path) -> None:
    """Check a folder against its seal.

    Raises:
        ModelError: The seal is missing or of another format; a path leads out of the folder; a file is missing, cut
            short, changed, a link, or not in the seal.
    """
    listed = _listed(folder)
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name not in listed:
            raise ModelError("This file does not belong to the bundle.", where=str(path), cure="Remove it.")
    for name, entry in listed.items():
        _verify_one(folder, name, entry)


def _verify_one(folder: Path, name: str, entry: Any) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or pure.suffix not in _KINDS:
        raise ModelError(f"The seal names a path that is not allowed: {name!r}.", where=str(folder / FILE))
    path = folder / name
    cure = "Copy the bundle again, or train it anew."
    if not path.is_file():
        raise ModelError("A file of the bundle is missing.", where=str(path), cure=cure)
    size, known = path.stat().st_size, entry.get("bytes") if isinstance(entry, dict) else None
    if size != known:
        raise ModelError(f"The file has {size} bytes instead of {known}.", where=str(path), cure=cure)
    if _sum(path) != entry.get("sha256"):
        raise ModelError("The file's content has changed since it was saved.", where=str(path), cure=cure)


def _listed(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    if not path.is_file():
        raise ModelError(
            "This is not a bundle: checksums.json is missing.", where=str(folder), cure="Give a saved bundle's folder."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, files = content["format"], dict(content["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError("The seal cannot be read.", where=str(path), cure="Copy the bundle again.") from error
    if version != FORMAT:
        raise ModelError(
            f"The bundle has format {version}, and this version reads {FORMAT}.", where=str(path), cure="Upgrade."
        )
    if "card.json" not in files:
        raise ModelError("This is not a bundle: it has no card.", where=str(folder))
    return files


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ModelError("A bundle may not hold links.", where=str(path), cure="Copy the file itself.")
        if path.is_file() and path != folder / FILE:
            found.append(path)
    return found


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
