"""Imports run one way, from the command line down to the shop, and the host side runs without JAX."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest

import jaxshop

PACKAGE = Path(jaxshop.__file__).parent

ROOMS = (
    *("support", "shop", "bounds", "schedule", "sources", "views"),
    *("env", "parallel", "policies", "search", "ppo", "training", "serving", "profiling", "cli"),
)
"""In the order of the data's way: a room imports from itself and from those before it."""

HOST = set(ROOMS[: ROOMS.index("env")])
"""What must start at once and run where there is no JAX."""

JAX = {"jax", "jaxlib", "flax", "optax", "chex", "orbax"}
LEARNING = {"flax", "optax", "orbax"}
SERVING = {"fastapi", "starlette", "uvicorn", "httpx", "http", "socket", "urllib", "prometheus_client"}
DATABASE = {"mariadb", "sqlalchemy", "jaxshop.sources"}


def name_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(name: str, nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The modules that the import statements among `nodes` name, relative ones resolved."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join(filter(None, [*above, node.module]))
            members = {f"{source}.{alias.name}" for alias in node.names}
            yield from members & MODULES.keys() or {source}


def tree(name: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def part(name: str) -> str:
    """The part of the package that a module belongs to: `env` for `jaxshop.env.types`."""
    return name.split(".")[1] if "." in name else ""


def floor(name: str) -> int:
    """The place of a module's room; the package itself offers what `sources` and the rooms below it hold."""
    return ROOMS.index(part(name)) if name != "jaxshop" else ROOMS.index("sources")


def within(name: str, packages: set[str]) -> bool:
    """Whether `name` is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_rooms_are_these():
    """The package holds the rooms of the list and nothing beside them; each says in a sentence what it is for."""
    inside = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p.is_dir() and list(p.glob("*.py")))}
    assert inside == {*ROOMS, "__init__"}
    for room in ROOMS:
        first = (ast.get_docstring(tree(f"jaxshop.{room}")) or "").partition("\n\n")[0]
        assert first.endswith("."), room


@pytest.mark.parametrize("name", MODULES)
def test_nobody_reads_the_files_of_another_room(name: str):
    """`importlib.resources.files` is asked for the caller's own room only."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "files":
            package = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
            assert within(package, {f"jaxshop.{part(name)}"}), f"{name} reads the files of {package or 'a package'}"


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name: str):
    """No module imports from a room that comes after its own; imports inside functions count too."""
    if name == "jaxshop":
        return  # it offers `make` of the environment on demand
    wrong = [
        imported
        for imported in imports(name, ast.walk(tree(name)))
        if within(imported, {"jaxshop"}) and floor(imported) > floor(name)
    ]
    assert not wrong, f"{name} must not import {wrong}"


@pytest.mark.parametrize("name", [name for name in MODULES if part(name) in HOST])
def test_the_host_side_knows_no_jax(name: str):
    """Shops, lots, bounds, schedules and sources never import JAX or what stands on it."""
    assert not [imported for imported in imports(name, ast.walk(tree(name))) if within(imported, JAX)]


@pytest.mark.parametrize("name", [name for name in MODULES if part(name) == "env"])
def test_the_environment_knows_no_network_database_or_server(name: str):
    """The environment can be used alone, under another trainer."""
    foreign = LEARNING | DATABASE | SERVING
    assert not [imported for imported in imports(name, ast.walk(tree(name))) if within(imported, foreign)]


def test_no_imports_in_a_circle():
    """Modules can be imported in some order, whichever comes first."""
    graph = {
        name: {imported for imported in imports(name, iter(tree(name).body)) if imported in MODULES} - {"jaxshop"}
        for name in MODULES
        if name != "jaxshop"
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_few_floors():
    """Rooms stand on at most 9 floors: each one above all that its modules import when they are loaded."""
    floors: dict[str, int] = {}
    for room in ROOMS:
        own = {name: path for name, path in MODULES.items() if part(name) == room}
        loaded = {part(imported) for name in own for imported in imports(name, iter(tree(name).body))}
        floors[room] = 1 + max((floors[below] for below in loaded & floors.keys()), default=0)
    assert max(floors.values()) <= 9, floors


def test_the_host_side_starts_without_jax():
    """Importing the package and all of its host side really loads no JAX, through whatever chain."""
    names = [name for name in MODULES if name == "jaxshop" or part(name) in HOST]
    loaded = f"print(sorted({JAX!r} & sys.modules.keys()))"
    code = "\n".join(["import sys", *(f"import {name}" for name in names), loaded])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


def test_make_and_version_are_offered_on_demand():
    """`jaxshop.make` is the environment's, imported when asked for, as the version is; others are refused as usual."""
    from jaxshop.env import make

    assert jaxshop.make is make
    assert jaxshop.__version__ == version("jaxshop")
    assert set(jaxshop.__all__) <= {*dir(jaxshop), "make", "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'made'"):
        _ = jaxshop.made
