"""The pages about the server and its deployment, checked as texts: nothing here runs a container or systemd."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from jaxshop.serving.auth import OPEN_PATHS
from jaxshop.serving.settings import Settings
from jaxshop.support.files import STATE_DIR

from .conftest import ROOT

DEPLOYMENT = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
SERVING = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
SETTINGS = {f"JAXSHOP_{name.upper()}" for name in Settings.model_fields} | {STATE_DIR}


def block(language: str, begins: str) -> str:
    """Return the page's block of code in that language that begins so."""
    found = re.findall(rf"```{language}\n({re.escape(begins)}.*?)```", DEPLOYMENT, re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def container() -> list[tuple[str, str]]:
    """The container file as (instruction, arguments)."""
    lines = block("dockerfile", "FROM ").replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_file_holds_together(container: list[tuple[str, str]]) -> None:
    """Known instructions, a Python that the project takes, files that exist, an unprivileged user, exec-form CMD."""
    of = dict(container)
    assert set(of) <= {
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "USER",
        "ENV",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "CMD",
    }
    assert container[0][0] == "FROM"
    assert container[-1][0] == "CMD"
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", of["FROM"])
    assert version is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert version[1] in SpecifierSet(project["requires-python"])

    copied = [path for name, rest in container if name == "COPY" for path in rest.split()[:-1]]
    assert all((ROOT / path).exists() for path in copied)
    assert {"pyproject.toml", "serve.py", "jaxshop", project["readme"], *project["license-files"]} <= set(copied)
    steps = [rest for name, rest in container if name == "RUN"]
    assert "pip install" in steps[0]
    assert "uv sync --no-dev" in steps[1]

    names = [name for name, _ in container]
    assert of["USER"] not in ("root", "0")
    assert max(i for i, name in enumerate(names) if name == "RUN") < names.index("USER") < names.index("CMD")
    assert json.loads(of["CMD"]) == [".venv/bin/python", "serve.py"]


def test_the_container_listens_where_its_health_is_asked(container: list[tuple[str, str]]) -> None:
    """Its variables are settings, its port is the default one, and its health check asks an open path."""
    of = dict(container)
    variables = dict(word.split("=", 1) for word in shlex.split(of["ENV"]))
    assert {name for name in variables if name.startswith("JAXSHOP_")} <= SETTINGS
    assert variables["JAXSHOP_HOST"] == "0.0.0.0"
    port = Settings.model_fields["port"].default
    assert int(of["EXPOSE"]) == port
    python, option, code = json.loads(of["HEALTHCHECK"].partition("CMD ")[2])
    assert (python, option) == (".venv/bin/python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    asked = re.search(rf"http://127\.0\.0\.1:{port}(/\w+)", code)
    assert asked is not None
    assert asked[1] in OPEN_PATHS


def test_the_systemd_unit_is_accepted(tmp_path: Path) -> None:
    """systemd finds no fault with the unit, where it is installed; its credentials have the names of settings."""
    unit = block("ini", "[Unit]")
    credentials = re.findall(r"^LoadCredential=(\w+):", unit, re.MULTILINE)
    assert {f"JAXSHOP_{name.removeprefix('jaxshop_').upper()}" for name in credentials} <= SETTINGS
    timeout = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert timeout is not None
    assert int(timeout[1]) > Settings.model_fields["drain_s"].default
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    file = tmp_path / "jaxshop.service"
    file.write_text(unit.replace("/opt/jaxshop/.venv/bin/python", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_every_setting_is_on_the_page() -> None:
    """The table of settings names each of them."""
    missing = {name for name in SETTINGS if f"`{name}`" not in SERVING}
    assert missing <= {"JAXSHOP_NO_AUTH"}  # the option --no-auth, told of beside the keys
