"""README and docs/ say what is true: the files, names, links, commands and overrides that they show exist."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from jaxshop import load_shop
from jaxshop.cli.main import main, train_main
from jaxshop.serving.server import main as serve_main
from jaxshop.shop import fingerprint
from jaxshop.sources.distribution import MAKES
from jaxshop.training.config import load_config
from tests.test_rooms import ROOMS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
PATH = re.compile(
    rf"(?:{'|'.join(map(re.escape, ('jaxshop', 'tests', 'configs', 'docs', 'benchmarks', '.ci', *ROOMS)))})/[\w./-]*"
)
COMMANDS = [
    ("train.py",),
    ("serve.py",),
    *(("jaxshop", name) for name in ("import", "inspect", "solve", "reschedule", "verify", "export")),
    *(("jaxshop", name) for name in ("simulate", "evaluate", "profile", "db")),
]

EVERYWHERE = {"--json", "--report"}
"""Options of many commands, which the page tells of once."""

on_every_page = pytest.mark.parametrize("page", TEXTS)


def spans(text: str) -> list[str]:
    """The inline code of a page."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def command_lines(text: str) -> list[list[str]]:
    """The words after `uv run` of each command in the shell blocks of a page."""
    blocks = [block for language, block in FENCE.findall(text) if language in ("sh", "bash")]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True)[2:] for line in lines if line.startswith("uv run ")]
    return [w[2:] if w[0] in ("--extra", "--group") else w for w in words]


@cache
def options(command: tuple[str, ...]) -> frozenset[str]:
    """What the help of a command lists."""
    run = {"train.py": train_main, "serve.py": serve_main, "jaxshop": main}[command[0]]
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit):
        run([*command[1:], "--help"])
    return frozenset(OPTION.findall(out.getvalue())) - {"--help"}


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


def test_readme_is_short():
    """The README is read at one sitting; what is longer has a page of its own."""
    assert len(TEXTS["README.md"].splitlines()) <= 250


@on_every_page
def test_files_exist(page: str):
    """Every file that inline code names is there; NAME stands for one that the reader adds to a folder."""
    named = {path.partition("NAME")[0] for path in filter(PATH.fullmatch, spans(TEXTS[page]))}
    missing = {path for path in named if not any((folder / path).exists() for folder in (ROOT, ROOT / "jaxshop"))}
    assert not missing


def test_files_that_the_package_names_exist():
    """Comments and docstrings of the package name files of the project that are there."""
    pattern = re.compile(r"(?<![\w./-])(?:tests|docs|configs|benchmarks)/[\w./-]*\.\w+")
    sources = [p for p in (ROOT / "jaxshop").rglob("*") if p.suffix in (".py", ".js", ".sql")]
    named = {name for source in sources for name in pattern.findall(source.read_text(encoding="utf-8"))}
    assert not {name for name in named if not (ROOT / name).exists()}


@on_every_page
def test_names_exist(page: str):
    """Every dotted name of the package can be imported."""
    names = set(re.findall(r"(?<![\w/.])jaxshop(?:\.[a-z_A-Z]\w*)+", "\n".join(spans(TEXTS[page]))))
    assert not {name for name in names if not resolves(name)}


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something inside one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        try:
            reduce(getattr, parts[count:], found)
        except AttributeError:
            continue
        return True
    return False


@on_every_page
def test_links_lead_somewhere(page: str):
    """Every relative link has its file, and its heading where it names one."""
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", TEXTS[page])):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@on_every_page
def test_commands_have_the_options_shown(page: str):
    """Every command in a shell block is one of ours with options that it takes, or a file that is there."""
    for words in command_lines(TEXTS[page]):
        command = tuple(words[:2] if words[0] == "jaxshop" else words[:1])
        if command == ("jaxshop", "db"):
            command = tuple(words[:3])
        if command[0] in ("jaxshop", "train.py", "serve.py"):
            shown = {word for word in words if word.startswith("--")}
            assert shown <= options(command), words
        else:
            assert command[0] in ("pytest", "ruff", "mypy", "mkdocs") or (ROOT / command[0]).exists(), words


@on_every_page
def test_overrides_and_configs_are_accepted(page: str):
    """Every config and every `section.key=value` of a `train.py` that is shown makes a valid config."""
    for words in command_lines(TEXTS[page]):
        if words[0] == "train.py":
            config = words[words.index("--config") + 1] if "--config" in words else "configs/reference.toml"
            load_config(ROOT / config, [word for word in words if re.match(r"\w+\.\w+=", word)])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_page_of_commands_is_complete(command: tuple[str, ...]):
    """The section of a command shows every option of its help and no other."""
    _, heading, rest = TEXTS["docs/commands.md"].partition(f"\n## {' '.join(command)}\n")
    section = rest.partition("\n## ")[0]
    assert heading, command
    actions = (
        [("jaxshop", "db", name) for name in ("init", "upgrade", "load", "snapshot", "plans", "release")]
        if command[-1] == "db"
        else [command]
    )
    known = frozenset().union(*map(options, actions)) - {"--version"}
    shown = set(OPTION.findall(section.replace("uv run --extra", "uv run")))
    assert shown - EVERYWHERE == known - EVERYWHERE


def test_the_page_of_commands_says_which_have_the_data_report():
    """Those that it names at `--report` are those whose help lists it."""
    (named,) = re.findall(r"`--report` of (.*?) prints", TEXTS["docs/commands.md"], re.DOTALL)
    assert set(spans(named)) == {command[-1] for command in COMMANDS if "--report" in options(command)}


def test_the_example_of_the_readme_runs(tmp_path: Path):
    """The short Python example plays a step; here on a small shop, as the reference shop takes longer to compile."""
    small = tmp_path / "small.txt"
    small.write_text("2 2\n0 3 1 2\n1 2 0 4\n", encoding="utf-8")
    (example,) = [block for language, block in FENCE.findall(TEXTS["README.md"]) if language == "python"]
    names: dict[str, object] = {}
    exec(example.replace('"reference"', repr(str(small))), names)
    assert names["state"].step == 1
    assert not names["terminated"]


def test_the_generators_of_the_page_make_shops():
    """What docs/api/sources.md says runs: shops as they were asked for, the same each time, one with shifts."""
    (example,) = [block for language, block in FENCE.findall(TEXTS["docs/api/sources.md"]) if language == "python"]
    first: dict[str, Any] = {}
    again: dict[str, Any] = {}
    exec(example, first)
    exec(example, again)
    names = ("like_the_reference", "of_a_family", "of_my_own", "with_shifts")
    assert [fingerprint(first[name]) for name in names] == [fingerprint(again[name]) for name in names]
    assert (len(first["like_the_reference"].machines), len(first["of_my_own"].machines)) == (12, 6)
    assert fingerprint(load_shop("family:flow:3")) == fingerprint(first["of_a_family"])
    assert first["with_shifts"].calendars
    assert first["with_shifts"].objective.tardiness == 1.0


def test_the_tables_of_makes_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch):
    """Whoever changes a make writes docs/makes.md anew, and no make is missing there."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    page = TEXTS["docs/makes.md"]
    assert importlib.import_module("makes_table").renewed(page) == page
    assert all(f"| `{make}` |" in page for make in MAKES)


@pytest.mark.parametrize("source", [*TEXTS, "docs/gantt.py", "docs/day.py", "docs/makes_table.py"])
def test_imports_resolve(source: str):
    """What the Python blocks of a page, and the scripts for pictures, import of the package is there."""
    text = (ROOT / source).read_text(encoding="utf-8")
    blocks = [text] if source.endswith(".py") else [b for language, b in FENCE.findall(text) if language == "python"]
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxshop"):
                assert not [alias.name for alias in node.names if not resolves(f"{node.module}.{alias.name}")]


@pytest.mark.parametrize("room", ["shop", "bounds", "schedule", "env", "policies", "search"])
def test_public_names_have_a_place_in_the_api_pages(room: str):
    """Every function and class that a room offers stands on a page, by itself or with its module."""
    named = re.findall(r"^::: (\S+)$", "\n".join(TEXTS.values()), re.MULTILINE)
    module = importlib.import_module(f"jaxshop.{room}")
    offered = {name: getattr(module, name) for name in module.__all__}
    documented = {*named, *(f"{place}.{name}" for place in named for name in offered)}
    missing = {
        name
        for name, value in offered.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and not {f"jaxshop.{room}.{name}", f"{value.__module__}.{name}", f"jaxshop.{room}.{name}.{name}"} & documented
    }
    assert not missing


def test_every_page_is_in_the_navigation():
    """What lies in docs/ can be reached in the site."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = set(re.findall(r"[\w/-]+\.md", str(nav)))
    assert {f"docs/{name}" for name in named} == set(TEXTS) - {"README.md"}


@pytest.mark.thorough
def test_the_site_needs_no_network(tmp_path: Path):
    """The site is built without a warning, and no page of it loads anything from another place."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("needs the dependency group `docs`")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(build, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(TEXTS)
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"?((?:https?:)?//[^\s\">]+)", page.read_text()
        )
        assert not loaded, page
