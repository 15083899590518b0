"""Shops by name and by path, benchmark texts, and the files underneath."""

import json
import os
from pathlib import Path

import pytest

from jaxshop.shop import Machine, Operation, Shop, fingerprint, parse_shop, shop_to_json
from jaxshop.sources import load_shop
from jaxshop.support.errors import ShopError
from jaxshop.support.files import parse_json, read_json, read_text, write_atomic

FT06 = """\
# Fisher and Thompson's 6 x 6
6 6
2  1  0  3  1  6  3  7  5  3  4  6
1  8  2  5  4 10  5 10  0 10  3  4
2  5  3  4  5  8  0  9  1  1  4  7
1  5  0  5  2  5  3  3  4  8  5  9
2  9  1  3  4  5  5  4  0  3  3  1

1  3  3  3  5  9  0 10  4  4  2  1   # the blank line above is nobody's job
"""

FLEXIBLE = """\
2 3 1.5
2  2 1 5 3 4  1 2 0
1  3 1 2 2 3 3 4
"""


def load(folder: Path, name: str, text: str) -> Shop:
    """Write `text` to a file of that name and load it."""
    path = folder / name
    path.write_text(text)
    return load_shop(str(path))


def refusal(folder: Path, name: str, text: str) -> list[str]:
    """The faults for which such a file is refused; each names the file, which is cut off here."""
    with pytest.raises(ShopError) as caught:
        load(folder, name, text)
    prefix = f"{folder / name}: "
    assert all(fault.startswith(prefix) for fault in caught.value.faults)
    return [fault.removeprefix(prefix) for fault in caught.value.faults]


def test_jobshop_text(tmp_path: Path):
    """ft06 has 6 jobs of 6 operations and 197 ticks in all; machines count from 0 and integers stay ticks."""
    shop = load(tmp_path, "ft06.txt", FT06)
    assert (shop.name, shop.unit, shop.provenance.kind) == ("ft06", "ticks", "file")
    assert shop.machines == tuple(Machine(f"M{i}") for i in range(6))
    assert [job.id for job in shop.jobs] == [f"J{i}" for i in range(6)]
    operations = [op for job in shop.jobs for op in job.operations]
    assert len(operations) == 36
    assert sum(sum(op.alternatives.values()) for op in operations) == 197
    assert operations[0] == Operation("J0/0", {"M2": 1})
    assert operations[-1] == Operation("J5/5", {"M2": 1})


def test_flexible_text(tmp_path: Path):
    """Alternatives are read with machines counted from 1, and a duration of 0 is allowed."""
    shop = load(tmp_path, "tiny.fjs", FLEXIBLE)
    assert shop.machines == (Machine("M1"), Machine("M2"), Machine("M3"))
    assert [job.operations for job in shop.jobs] == [
        (Operation("J0/0", {"M1": 5, "M3": 4}), Operation("J0/1", {"M2": 0})),
        (Operation("J1/0", {"M1": 2, "M2": 3, "M3": 4}),),
    ]
    assert shop.unit == "ticks"


def test_routes_of_different_length(tmp_path: Path):
    """Re-entrant sets visit a machine again and fill short lines up with -1 -1."""
    shop = load(tmp_path, "re.TXT", "2 2\n0 1 1 2 0 3\n1 4 -1 -1 -1 -1\n")
    assert [[list(op.alternatives.items()) for op in job.operations] for job in shop.jobs] == [
        [[("M0", 1)], [("M1", 2)], [("M0", 3)]],
        [[("M1", 4)]],
    ]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.txt", "", "holds no shop"),
        ("a.txt", "# nothing\n", "holds no shop"),
        ("a.txt", "2\n", "line 1: the first line must be"),
        ("a.txt", "1 0\n0 1\n", "line 1: 0 machines"),
        ("a.txt", "1 999999999\n0 1\n", "line 1: 999999999 machines"),
        ("a.txt", "0 1\n", "jobs: the shop has no jobs"),
        ("a.txt", "2 1\n0 1\n", "line 1 promises 2 jobs, 1 follow (is the file cut short?)"),
        ("a.txt", "1 1\n0 1\n0 1\n", "line 1 promises 1 jobs, 2 follow"),
        ("a.txt", "1 1\n0\n", "line 2: 1 numbers; there must be pairs"),
        ("a.txt", "1 1\n0 x\n", "line 2: 'x' is not an integer"),
        ("a.txt", "1 1\n0 1.5\n", "line 2: '1.5' is not an integer"),
        ("a.txt", "1 1\n0 " + "9" * 5000, "is not an integer"),
        ("a.txt", "1 1\n0 -1\n", "line 2: operation 0: duration -1 must be >= 0"),
        ("a.txt", "1 1\n1 1\n", "line 2: operation 0: unknown machine 1; they are 0 to 0"),
        ("a.txt", "1 1\n-1 -1\n", "line 2: the job has no operations"),
        ("a.txt", "1 1\n0 999999999999\n", "jobs[0].operations[0].alternatives.M0: must be at most"),
        ("a.txt", "5 1\n" + "0 300000000\n" * 5, "past the limit of 2^30"),
        ("a.fjs", "1 1\n1 1 0 5\n", "line 2: operation 0: unknown machine 0; they are 1 to 1"),
        ("a.fjs", "1 1\n1 0\n", "line 2: operation 0 has no eligible machine"),
        ("a.fjs", "1 1\n1 -1\n", "line 2: operation 0 has no eligible machine"),
        ("a.fjs", "1 1\n0\n", "line 2: the job has no operations"),
        ("a.fjs", "1 1\n2 1 1 5\n", "line 2: 2 operations are promised, the line ends after 1"),
        ("a.fjs", "1 1\n1 2 1 5 1\n", "line 2: the line ends within operation 0"),
        ("a.fjs", "1 1\n1 1 1 5 7\n", "line 2: 1 numbers are left"),
        ("a.fjs", "1 1\n1 2 1 5 1 6\n", "line 2: operation 0 names a machine twice"),
        ("a.fjs", "1 1\n999999999 1 1 5\n", "line 2: 999999999 operations are promised"),
        ("a.fjs", "1 1 1.0 9\n1 1 1 5\n", "line 1: the first line must be"),
    ],
)
def test_a_bad_text_is_refused_with_its_line(tmp_path: Path, name: str, text: str, fault: str):
    """Each kind of mistake in a benchmark text is named with the line where it stands."""
    assert fault in refusal(tmp_path, name, text)[0]


def test_all_bad_lines_are_listed(tmp_path: Path):
    """One bad line does not hide the next, nor count as a missing job."""
    faults = refusal(tmp_path, "a.txt", "3 2\n0 1 1\n0 1\n5 1\n")
    assert [fault[:7] for fault in faults] == ["line 2:", "line 4:"]


ONE_LINE = r"\A[^\n]*\Z"

SHOP = {
    "format": "jaxshop-shop/1",
    "name": "one",
    "machines": [{"id": "A"}],
    "jobs": [{"id": "J", "operations": [{"id": "J/1", "alternatives": {"A": 2.5}}]}],
}


def test_json_file(tmp_path: Path):
    """A shop file is known by its ending in any case; the byte-order mark of some editors is no fault."""
    shop = load(tmp_path, "one.json", json.dumps(SHOP))
    assert shop.jobs[0].operations[0].alternatives == {"A": 9000}
    assert shop.unit == "hours"
    assert load(tmp_path, "two.JSON", "\ufeff" + json.dumps(SHOP)) == shop


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1 column 1: not valid JSON: Expecting value (is the file cut short?)"),
        (json.dumps(SHOP, indent=1)[:-1], "is the file cut short?"),
        ('{"format": "jaxsh', "is the file cut short?"),
        (json.dumps(SHOP, indent=1)[:60], "line 4 column 14: not valid JSON"),
        ('{\n "format": jaxshop}', "line 2 column 12: not valid JSON: Expecting value"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ("[1]", "must be an object"),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, text: str, fault: str):
    """What is cut short, not JSON or only Python's idea of JSON is refused, with line and column."""
    (message,) = refusal(tmp_path, "bad.json", text)
    assert fault in message


@pytest.mark.parametrize("length", range(0, len(json.dumps(SHOP)), 7))
def test_a_shop_file_cut_anywhere_is_refused(tmp_path: Path, length: int):
    """No prefix of a shop file reads as a shop."""
    refusal(tmp_path, "cut.json", json.dumps(SHOP)[:length])


def test_files_that_cannot_be_read(tmp_path: Path):
    """Missing files, folders, foreign encodings and unknown endings give one line that names the file."""
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "latin.json").write_bytes(b'{"name": "K\xfcche"}')
    (tmp_path / "shop.xml").write_text("<shop/>")
    for name, fault in [
        ("none.json", "no such file or directory"),
        ("folder.json", "is a directory"),
        ("latin.json", "not UTF-8 text (byte 11)"),
        ("shop.xml", "unknown ending '.xml'; a shop is a .json, .txt or .fjs file, `reference`"),
        ("a\0.json", "null byte"),
        ("x" * 300 + ".json", "file name too long"),
    ]:
        with pytest.raises(ShopError, match=ONE_LINE) as caught:
            load_shop(str(tmp_path / name))
        assert fault in str(caught.value)
        assert name.replace("\0", "\\x00") in str(caught.value)


@pytest.fixture
def locked_folder(tmp_path: Path):
    """A folder that nobody may enter; root may enter all, so the test is somebody else meanwhile."""
    user = os.geteuid()
    tmp_path.chmod(0o000)
    if user == 0:
        os.seteuid(65534)
    yield tmp_path
    os.seteuid(user)
    tmp_path.chmod(0o700)


def test_permission_denied(locked_folder: Path):
    """A file that may not be read, or not be written, is named."""
    for attempt in (read_text, lambda path: write_atomic(path, "")):
        with pytest.raises(ShopError, match=r"secret\.json: permission denied"):
            attempt(locked_folder / "secret.json")


@pytest.mark.parametrize("spec", ["reference:0", "reference:10", "reference:", "reference:x", "reference:-1"])
def test_only_nine_siblings_exist(spec: str):
    """The reference shop has siblings 1 to 9; others are refused rather than made up."""
    with pytest.raises(ShopError, match="reference:1 to reference:9"):
        load_shop(spec)


def test_the_database_takes_its_settings_from_the_environment():
    """Nothing may follow `mariadb:`, so that no password is ever typed there."""
    with pytest.raises(ShopError, match="environment") as caught:
        load_shop("mariadb:user:secret@host")
    assert "secret" not in str(caught.value)


def test_names_of_shops():
    """`reference` and its siblings load by name, each a shop of its own."""
    shops = [load_shop(spec) for spec in ("reference", "reference:1", "reference:9")]
    assert len({fingerprint(shop) for shop in shops}) == 3


def test_a_write_leaves_the_whole_or_nothing(tmp_path: Path):
    """A write that fails half-way leaves the old file as it was and no temporary file beside it."""
    path = tmp_path / "out.json"
    write_atomic(path, "old")
    with pytest.raises(ShopError, match=r"out.json: the text holds characters"):
        write_atomic(path, "x" * 100_000 + "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_atomic(path, "new: ü")
    assert path.read_text(encoding="utf-8") == "new: ü"
    assert list(tmp_path.iterdir()) == [path]


def test_writes_that_cannot_be_done(tmp_path: Path):
    """A missing folder, a folder in the file's place and a device are refused in one line."""
    (tmp_path / "folder").mkdir()
    for path, fault in [
        (tmp_path / "none" / "a.json", "none does not exist"),
        (tmp_path / "folder", "is not a regular file"),
        (Path("/dev/null"), "is not a regular file"),
    ]:
        with pytest.raises(ShopError, match=ONE_LINE) as caught:
            write_atomic(path, "text")
        assert str(caught.value).startswith(f"{path}: ")
        assert fault in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_link_stays_a_link(tmp_path: Path):
    """Writing to a link writes the file that it points to."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomic(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_written_shop_loads_again(tmp_path: Path):
    """What `inspect --out` writes is the shop that was read."""
    shop = parse_shop(SHOP, "x")
    path = tmp_path / "copy.json"
    write_atomic(path, json.dumps(shop_to_json(shop)))
    assert load_shop(str(path)) == shop
    assert read_json(path) == parse_json(path.read_text(), "x")
