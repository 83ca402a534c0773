"""Edits go with their pictures, whatever these are called now."""

from __future__ import annotations

from dataclasses import dataclass, field

from advisor.dataset.edits import Edits, PictureEdit, SeenPicture
from advisor.dataset.file_stamp import Stamp
from advisor.dataset.following_edits import followed


@dataclass
class FakeDisk:
    """Files by path: content and time; the content stands for its hash and tells the size by its length."""

    files: dict[str, tuple[str, int]]
    numbers: dict[str, int] = field(default_factory=dict)
    touched: int = 1
    read: list[str] = field(default_factory=list)

    def stamp(self, path: str) -> Stamp | None:
        if path not in self.files:
            return None
        return Stamp(len(self.files[path][0]), self.files[path][1], self.numbers.get(path, 1), self.touched)

    def content(self, path: str) -> str | None:
        self.read.append(path)
        return self.files[path][0] if path in self.files else None


def edit(path: str, content: str, caption: str, *, twins: tuple[str, ...] = ()) -> PictureEdit:
    return PictureEdit(path, caption=caption, seen=SeenPicture(content, len(content), 1, twins, number=1, touched_ns=1))


def captions(edits: Edits, disk: FakeDisk) -> dict[str, str | None]:
    found = followed(edits, sorted(disk.files), disk)
    return {path: one.caption for path, one in found.edits.by_path.items()}


def test_where_nothing_changed_no_file_is_read() -> None:
    disk = FakeDisk({"/a": ("aa", 1), "/b": ("bb", 1)})
    edits = Edits.of([edit("/a", "aa", "A")])

    assert followed(edits, ["/a", "/b"], disk).edits is edits
    assert not disk.read


def test_a_renamed_picture_keeps_its_edits_and_only_files_of_its_size_are_read() -> None:
    disk = FakeDisk({"/new": ("aa", 1), "/other": ("bb", 1), "/longer": ("ccc", 1)})
    found = followed(Edits.of([edit("/a", "aa", "A")]), sorted(disk.files), disk)

    assert [(one.path, one.caption) for one in found.edits.by_path.values()] == [("/new", "A")]
    assert found.renamed == (("/a", "/new"),)
    assert not found.lost
    assert "/longer" not in disk.read


def test_pictures_that_were_numbered_anew_keep_their_own_edits() -> None:
    edits = Edits.of([edit("/1", "aa", "A"), edit("/2", "bb", "B")])

    assert captions(edits, FakeDisk({"/1": ("xx", 3), "/2": ("aa", 2), "/3": ("bb", 2)})) == {"/2": "A", "/3": "B"}
    assert captions(edits, FakeDisk({"/1": ("bb", 2), "/2": ("aa", 2)})) == {"/2": "A", "/1": "B"}


def test_pictures_of_one_size_and_time_that_were_numbered_anew_keep_their_own_edits() -> None:
    seen = {path: SeenPicture(content, 2, 1, number=number, touched_ns=1) for path, content, number in NUMBERED}
    edits = Edits.of([PictureEdit(path, excluded=path, seen=one) for path, one in seen.items()])

    disk = FakeDisk({"/1": ("bb", 1), "/2": ("cc", 1)}, {"/1": 12, "/2": 13})
    found = followed(edits, sorted(disk.files), disk)
    assert {path: one.excluded for path, one in found.edits.by_path.items()} == {"/1": "/2", "/2": "/3"}
    assert [one.path for one in found.lost] == ["/1"]

    disk = FakeDisk({path: (content, 1) for path, content, _ in NUMBERED}, {path: 20 for path, *_ in NUMBERED})
    assert followed(edits, sorted(disk.files), disk).edits is edits, "all were copied to another disk"


def test_contents_that_moved_on_within_files_of_one_size_and_time_are_followed() -> None:
    """As `cp -p` does it, which keeps a file's number."""
    edits = Edits.of([edit("/2", "bb", "B"), edit("/3", "cc", "C")])
    moved = {"/1": ("bb", 1), "/2": ("cc", 1)}

    assert captions(edits, FakeDisk(moved, touched=2)) == {"/1": "B", "/2": "C"}
    assert captions(edits, FakeDisk({"/2": ("bb", 1), "/3": ("cc", 1)}, touched=2)) == {"/2": "B", "/3": "C"}


def test_edits_of_earlier_versions_which_knew_size_and_time_alone_are_followed_by_content() -> None:
    old = [PictureEdit(path, caption=path, seen=SeenPicture(content, 2, 1)) for path, content, _ in NUMBERED[1:]]

    found = captions(Edits.of(old), FakeDisk({"/1": ("bb", 1), "/2": ("cc", 1)}))
    assert found == {"/1": "/2", "/2": "/3"}


NUMBERED = (("/1", "aa", 11), ("/2", "bb", 12), ("/3", "cc", 13))


def test_a_picture_that_was_changed_in_place_keeps_its_edits() -> None:
    assert captions(Edits.of([edit("/a", "aa", "A")]), FakeDisk({"/a": ("sharper", 2)})) == {"/a": "A"}


def test_a_file_that_was_only_touched_is_the_same_picture() -> None:
    disk = FakeDisk({"/a": ("aa", 2), "/copy": ("aa", 1)})

    assert captions(Edits.of([edit("/a", "aa", "A")]), disk) == {"/a": "A"}


def test_edits_of_a_picture_that_is_gone_do_not_go_over_to_its_copy() -> None:
    disk = FakeDisk({"/copy": ("aa", 1)})
    found = followed(Edits.of([edit("/a", "aa", "A", twins=("/copy",))]), ["/copy"], disk)

    assert not found.edits
    assert [one.path for one in found.lost] == ["/a"]


def test_what_was_decided_before_a_picture_was_renamed_and_after_it_counts_both() -> None:
    later = PictureEdit("/new", excluded="blurred", seen=SeenPicture("aa", 2, 1))
    disk = FakeDisk({"/new": ("aa", 1)})
    found = followed(Edits.of([edit("/a", "aa", "A"), later]), ["/new"], disk)

    assert [(one.path, one.caption, one.excluded) for one in found.edits.by_path.values()] == [("/new", "A", "blurred")]


def test_of_pictures_alike_each_takes_the_edits_of_one() -> None:
    edits = Edits.of([edit("/a", "aa", "A", twins=("/b",)), edit("/b", "aa", "B", twins=("/a",))])

    assert captions(edits, FakeDisk({"/c": ("aa", 1), "/d": ("aa", 1)})) == {"/c": "A", "/d": "B"}


def test_a_picture_without_edits_takes_them_before_one_that_has_its_own() -> None:
    edits = Edits.of([edit("/a", "aa", "A"), edit("/b", "aa", "B")])

    assert captions(edits, FakeDisk({"/b": ("aa", 1), "/c": ("aa", 1)})) == {"/b": "B", "/c": "A"}
