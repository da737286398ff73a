"""Pictures and videos out of folders and zip files: to the right items, and nothing that was packed to do harm."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.feeds import ImportReport, StrictImportError
from shopkeeper.store.feeds.archives import Limits
from shopkeeper.store.feeds.media import import_media

VIDEO = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + bytes(100)
NAMES = st.text(st.sampled_from("ab./\\ :*-_12é中\x00") | st.characters(exclude_categories=["Cs"]), max_size=30)


def photo(colour: str = "red", form: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


class Shop:
    """A store with some items, its media folder, and a folder to import from."""

    def __init__(self, home: Path, store: SqlStore) -> None:
        self.store = store
        self.media = home / "media"
        self.source = home / "source"
        self.source.mkdir()
        self.rejects = home / "rejects.jsonl"

    def sell(self, *items: Item) -> None:
        self.store.catalogue.put(items)

    def lay(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def pack(self, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = self.source.parent / "media.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path

    def take(self, source: Path | None = None, **options: object) -> ImportReport:
        return import_media(source or self.source, self.store, self.media, rejects=self.rejects, **options)  # type: ignore[arg-type]

    def images(self, item: str) -> tuple[str, ...]:
        return self.store.catalogue.get([item])[item].images

    def videos(self, item: str) -> tuple[str, ...]:
        return self.store.catalogue.get([item])[item].videos

    def refused(self) -> dict[str, str]:
        if not self.rejects.exists():
            return {}
        lines = map(json.loads, self.rejects.read_text(encoding="utf-8").splitlines())
        return {line["value"].partition(": ")[0]: line["reason"] for line in lines}

    def state(self) -> dict[str, tuple[int, bytes]]:
        files = (path for path in self.media.rglob("*") if path.is_file())
        return {path.relative_to(self.media).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture
def shop(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield Shop(tmp_path, store)


def test_files_find_their_items_by_path_id_code_number_and_folder(shop: Shop):
    shop.sell(
        Item(id="rake", title="Rake", images=("https://cdn.example/rake.jpg",)),
        Item(id="can-2", title="Can", codes=("4006381333931",)),
        Item(id="can", title="Another can"),
        Item(id="A/1", title="Slashed"),
        Item(id="named", title="Named", images=("/media/old/red.png",), videos=("old/clip.mp4",)),
        Item(id="2", title="Two"),
        Item(id="铁锹", title="铁锹"),
    )
    files = {
        "rake_10.jpg": photo("red"), "rake_2.jpg": photo("green"), "x/RAKE.JPG": photo("blue"), "rake (3).webp": photo("red", "WEBP"),
        "rake.mp4": VIDEO, "4006381333931.png": photo("red", "PNG"), "can-2.jpg": photo(), "can-3.jpg": photo(),
        "A_1.jpg": photo(), "old/red.png": photo("red", "PNG"), "old/clip.mp4": VIDEO,
        "can/2.jpg": photo(), "can/front/zoom.jpg": photo(), "铁锹/正面.jpg": photo(), "2.jpg": photo(),
        "nobody.jpg": photo(), "readme.txt": b"words", ".DS_Store.jpg": photo(),
    }  # fmt: skip
    shop.lay(files)
    report = shop.take()
    assert shop.images("rake") == (
        "https://cdn.example/rake.jpg",
        "x/RAKE.JPG",
        "rake_2.jpg",
        "rake (3).webp",
        "rake_10.jpg",
    )
    assert shop.videos("rake") == ("rake.mp4",)
    assert shop.images("can-2") == ("4006381333931.png", "can-2.jpg")
    assert shop.images("can") == ("can/front/zoom.jpg", "can/2.jpg", "can-3.jpg")
    assert shop.images("A/1") == ("A_1.jpg",)
    assert (shop.images("named"), shop.videos("named")) == (("/media/old/red.png",), ("old/clip.mp4",))
    assert shop.images("2") == ("2.jpg",)
    assert shop.images("铁锹") == ("铁锹/正面.jpg",)
    assert shop.refused() == {"nobody.jpg": "fits no item"}
    assert (report.rows, report.added, report.rejected, report.format) == (16, 15, 1, "folder")
    assert report.skipped == {"no picture or video": 1, "hidden file": 1}
    assert (shop.media / "can/front/zoom.jpg").read_bytes() == files["can/front/zoom.jpg"]
    assert not (shop.media / "nobody.jpg").exists()


@pytest.mark.parametrize("packed", [False, True])
def test_importing_twice_changes_nothing_and_a_changed_file_only_itself(shop: Shop, packed: bool):
    shop.sell(Item(id="rake", title="Rake"), Item(id="can", title="Can"))
    files = {"rake.jpg": photo("red"), "rake_2.jpg": photo("green"), "can/a:b*.jpg": photo(), "can/c.mp4": VIDEO}
    shop.lay(files)
    assert shop.take(shop.pack(files) if packed else None).added == 4
    before, version = shop.state(), shop.store.catalogue.version
    report = shop.take(shop.pack(files) if packed else None)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 4)
    assert (shop.state(), shop.store.catalogue.version) == (before, version)
    files["rake.jpg"] = photo("blue")
    shop.lay(files)
    report = shop.take(shop.pack(files) if packed else None)
    assert (report.added, report.updated, report.unchanged) == (0, 1, 3)
    after = shop.state()
    assert {name for name in after if after[name] != before[name]} == {"rake.jpg"}
    assert shop.store.catalogue.version == version


def test_a_name_that_is_not_safe_is_changed_in_the_item_too(shop: Shop):
    shop.sell(Item(id="rake", title="Rake", images=("a:b.jpg", "https://cdn.example/c.jpg")))
    shop.lay({"a:b.jpg": photo()})
    shop.take()
    first, second = shop.images("rake")
    assert second == "https://cdn.example/c.jpg"
    assert ":" not in first
    assert (shop.media / first).exists()
    assert shop.take().unchanged == 1


def test_a_shared_file_belongs_to_all_that_name_it_and_a_shared_code_to_none(shop: Shop):
    shop.sell(
        Item(id="red", title="Red", images=("photos/both.jpg",), codes=("77",)),
        Item(id="blue", title="Blue", images=("photos/both.jpg",), codes=("77",)),
    )
    shop.lay({"photos/both.jpg": photo(), "77.jpg": photo()})
    report = shop.take()
    assert (report.added, report.unchanged) == (1, 0)
    assert shop.images("red") == shop.images("blue") == ("photos/both.jpg",)
    assert shop.refused() == {"77.jpg": "fits several items"}


def test_what_is_not_inside_what_the_name_says_is_refused(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    shop.lay(
        {
            "rake.jpg": b"<html>",
            "rake_2.mp4": photo(),
            "rake_3.png": VIDEO,
            "rake_4.jpg": b"",
            "rake_5.jpg": photo("red", "PNG"),
        }
    )
    report = shop.take(limits=Limits(picture=10_000))
    assert shop.images("rake") == ("rake_5.jpg",)
    assert report.reasons == {"not a picture or video inside": 2, "content and ending disagree": 2}


def test_strict_writes_nothing_when_a_file_is_refused(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    shop.lay({"rake.jpg": photo(), "nobody.jpg": photo()})
    with pytest.raises(StrictImportError) as caught:
        shop.take(strict=True)
    assert caught.value.report.rejected == 1
    assert shop.images("rake") == ()
    assert not shop.media.exists()
    (shop.source / "nobody.jpg").unlink()
    assert shop.take(strict=True).added == 1


def test_links_in_a_folder_do_not_lead_outside_and_pipes_are_not_waited_for(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    outside = shop.source.parent / "outside"
    outside.mkdir()
    (outside / "rake.jpg").write_bytes(photo())
    (shop.source / "rake.jpg").symlink_to(outside / "rake.jpg")
    (shop.source / "rake").symlink_to(outside)
    (shop.source / "rake_3.jpg").symlink_to(shop.source / "rake_3.jpg")
    os.mkfifo(shop.source / "rake_2.jpg")
    shop.take()
    assert shop.refused() == {
        "rake.jpg": "link that leads outside",
        "rake_2.jpg": "not a file",
        "rake_3.jpg": "unreadable file",
    }
    assert shop.images("rake") == ()


def test_files_that_lie_in_the_media_folder_already_are_only_named(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    (shop.media / ".thumbs").mkdir(parents=True)
    (shop.media / ".thumbs" / "rake.webp").write_bytes(photo("red", "WEBP"))
    (shop.media / "rake.jpg").write_bytes(photo())
    before = shop.state()
    assert shop.take(shop.media).added == 1
    assert (shop.images("rake"), shop.state()) == (("rake.jpg",), before)
    assert shop.take(shop.media.parent).rows == 0


def test_a_zip_file_cannot_climb_link_hide_or_repeat(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    path = shop.source.parent / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../rake.jpg", "/rake.jpg", "C:/rake.jpg", "a/../../rake.jpg", "..\\..\\rake.jpg", "rake.jpg"):
            archive.writestr(name, photo())
        link = zipfile.ZipInfo("rake_2.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        pipe = zipfile.ZipInfo("rake_3.jpg")
        pipe.external_attr = (stat.S_IFIFO | 0o777) << 16
        archive.writestr(pipe, "")
        archive.writestr("__MACOSX/rake.jpg", photo())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("rake.jpg", photo("blue"))
    report = shop.take(path)
    assert report.reasons == {"unsafe path": 5, "link in the zip file": 1, "not a file": 1, "duplicate name": 1}
    assert shop.images("rake") == ("rake.jpg",)
    assert list(shop.state()) == ["rake.jpg"]
    assert not (shop.source.parent / "rake.jpg").exists()


def test_a_zip_bomb_is_cut_off_where_it_swells(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    bomb = photo() + bytes(15_000_000)
    path = shop.pack({"rake.jpg": bomb, "rake_2.jpg": photo()})
    assert path.stat().st_size < 50_000
    shop.take(path)
    assert shop.refused() == {"rake.jpg": "packed too tightly"}
    assert shop.images("rake") == ("rake_2.jpg",)


def test_sizes_that_a_zip_file_states_are_not_believed(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    content = photo(size=(600, 400), form="BMP")
    path = shop.pack({"rake.bmp": content, "rake_2.jpg": photo()}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", len(content)), struct.pack("<I", 500)))
    shop.take(path)
    assert shop.refused() == {"rake.bmp": "damaged in the zip file"}
    assert list(shop.state()) == ["rake_2.jpg"]


def test_limits_of_files_members_and_the_whole(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    big = photo("red", "BMP", (100, 100))
    files = {"rake.bmp": big, "rake_2.jpg": photo(), "rake.mp4": VIDEO + bytes(50_000)}
    shop.lay(files)
    path = shop.pack(files, zipfile.ZIP_STORED)
    for source in (shop.source, path):
        with pytest.raises(InputError, match="more than 2 files"):
            shop.take(source, limits=Limits(members=2))
        assert shop.take(source, limits=Limits(picture=20_000, video=40_000)).reasons == {"file too large": 2}
    with pytest.raises(InputError, match="unpacks to more than"):
        shop.take(path, limits=Limits(total=60_000))


def test_a_zip_file_of_very_many_members_is_not_even_listed(shop: Shop):
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 32_000_000 // len(entry) + 1
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, count * len(entry), 0, 0)
    path = shop.source / "many.zip"
    with path.open("wb") as file:
        file.write(entry * count)
        file.write(end)
    with pytest.raises(InputError, match="Too many"):
        shop.take(path)


def test_encrypted_oddly_packed_and_damaged_members_are_refused(shop: Shop):
    shop.sell(Item(id="rake", title="Rake"))
    path = shop.pack({"rake.jpg": photo(), "rake_2.jpg": photo("blue")}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    second = data.index(photo("blue"))
    data[second + 30] ^= 0xFF
    path.write_bytes(bytes(data))
    shop.take(path)
    assert shop.refused() == {"rake.jpg": "encrypted", "rake_2.jpg": "damaged in the zip file"}
    shop.take(shop.pack({"rake.jpg": photo()}, zipfile.ZIP_LZMA))
    assert shop.refused() == {"rake.jpg": "unusual compression"}
    assert shop.state() == {}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"words", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_file_says_so(shop: Shop, content: bytes):
    (shop.source / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match="zip"):
        shop.take(shop.source / "a.zip")
    with pytest.raises(InputError, match="cannot be read"):
        shop.take(shop.source / "missing.zip")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_names_in_a_zip_file_without_the_mark_of_utf8_are_read_as_they_were_meant(shop: Shop, encoding: str):
    shop.sell(Item(id="铁锹", title="铁锹"))
    name = "铁锹-2.jpg".encode(encoding)
    stand_in = b"x" * len(name)
    path = shop.pack({stand_in.decode(): photo()})
    path.write_bytes(path.read_bytes().replace(stand_in, name))
    shop.take(path)
    assert shop.images("铁锹") == ("铁锹-2.jpg",)


@given(names=st.lists(NAMES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_names_nothing_is_written_outside_of_the_media_folder(shop: Shop, names: list[str]):
    assume(not any(name.startswith("\x00") for name in names))  # which the zip writer cannot write
    home = shop.source.parent
    shop.sell(
        *(
            Item(id=f"i{place}", title="x", images=(f"{name}.jpg",))
            for place, name in enumerate(names)
            if "\x00" not in name
        )
    )
    path = shop.pack({f"{name}.jpg": photo() for name in names})
    shop.take(path)
    apart = {"media", "source", "media.zip", "rejects.jsonl"}
    assert {entry.name for entry in home.iterdir() if not entry.name.startswith("shop.db")} <= apart
    assert list(shop.source.iterdir()) == []
    before = shop.state()
    version = shop.store.catalogue.version
    shop.take(path)
    assert (shop.state(), shop.store.catalogue.version) == (before, version)
