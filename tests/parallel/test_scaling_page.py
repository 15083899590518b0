"""The launch files of docs/scaling.md, checked as texts: what they set is what jaxshop.parallel.cluster reads."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from jaxshop.parallel.cluster import Cluster, find_cluster
from jaxshop.training.config import load_config
from tests.cli.test_cli import ROOT

PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The page's only block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def service_and_job() -> list[dict]:
    """The two Kubernetes objects."""
    return list(yaml.safe_load_all(block("yaml")))


def test_pods_find_their_cluster(service_and_job):
    """Shows that the pod's variables, with the index that Kubernetes adds, name the first pod behind the service."""
    service, job = service_and_job
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    environ = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
    name = job["metadata"]["name"]
    assert spec["completionMode"] == "Indexed"
    assert pod["subdomain"] == service["metadata"]["name"] == environ["JAXSHOP_SERVICE"]
    assert service["spec"]["selector"] == {"job-name": name}
    found = find_cluster(environ | {"JOB_COMPLETION_INDEX": "1"})
    assert found == Cluster(f"{name}-0.{service['metadata']['name']}:12321", spec["completions"], 1)
    assert spec["parallelism"] == spec["completions"]


def test_pods_share_the_folder_of_runs(service_and_job):
    """Shows that runs go to the mounted volume, and that no pod is started again alone."""
    spec = service_and_job[1]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (mount,), (volume,) = container["volumeMounts"], pod["volumes"]
    assert f"run.runs_dir={mount['mountPath']}" in container["command"]
    assert mount["name"] == volume["name"]
    assert (spec["backoffLimit"], pod["restartPolicy"]) == (0, "Never")


def test_slurm_script_is_a_shell_script():
    """Shows that bash can read it, and that it starts one task a node, which then takes all its GPUs."""
    script = block("bash")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    assert subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True).stderr == ""
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script, re.MULTILINE))
    assert (options["ntasks-per-node"], options["gpus-per-node"]) == ("1", "8")
    environ = {"SLURM_STEP_NUM_TASKS": options["nodes"], "SLURM_STEP_NODELIST": "gpu[03-04]", "SLURM_PROCID": "1"}
    assert find_cluster(environ) == Cluster("gpu03:12321", int(options["nodes"]), 1)


def test_variables_of_the_text_are_those_that_are_read():
    """Shows that every name of ours on the page is one that `find_cluster` asks for."""
    source = (ROOT / "jaxshop/parallel/cluster.py").read_text(encoding="utf-8")
    for name in set(re.findall(r"JAXSHOP_[A-Z]+", PAGE)):
        assert f'"{name}"' in source, name


def test_the_gpu_config_is_shared_evenly_by_the_devices_it_is_shown_on():
    """Shows that samples of every stage can be spread over 8 GPUs of one node and of two."""
    for lesson in load_config(ROOT / "configs/gpu.toml").lessons():
        assert lesson.settings.samples % 16 == 0
