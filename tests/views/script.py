"""Run the page's scripts under node: classic scripts, loaded in the page's order into one global scope."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import jaxshop.serving
import jaxshop.views

SCRIPTS = {
    path.name: path
    for room in (jaxshop.views, jaxshop.serving)
    for path in (Path(room.__file__).parent / "static").glob("*.js")
}

NODE = """
const vm = require("node:vm");
const { readFileSync } = require("node:fs");
const { files, before, body, given } = JSON.parse(readFileSync(0, "utf8"));
const page = { URLSearchParams, TextDecoderStream, ReadableStream, TextEncoder, given };
const context = vm.createContext(page);
vm.runInContext(before, context);
for (const file of files) vm.runInContext(readFileSync(file, "utf8"), context, { filename: file });
const found = vm.runInContext(`(async () => { ${body} })()`, context);
found.then((value) => process.stdout.write(JSON.stringify(value)));
"""


def run_script(files: list[str], body: str, given: object = None, before: str = "") -> Any:
    """What the body of a JavaScript function returns, after `before` and the scripts ran; `given` is a global there."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: install the package nodejs")
    task = {"files": [str(SCRIPTS[name]) for name in files], "before": before, "body": body, "given": given}
    ended = subprocess.run([node, "-e", NODE], input=json.dumps(task), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
