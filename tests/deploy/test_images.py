"""The Dockerfile, its health check, compose, and the workflow that builds the images."""

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.support.certificates import make_certificate
from tests.support.ports import free_port
from tests.support.servers import start_server

ROOT = Path(__file__).parents[2]
HEALTH_CHECK = ROOT / "deploy" / "docker" / "healthcheck.py"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVER_STAGE = DOCKERFILE.partition("AS server\n")[2]
LINKS = {"INKLING_PORT": "tcp://10.96.0.17:8000"}


def find_port(command_line: str, environment: dict[str, str]) -> int:
    spec = spec_from_file_location("healthcheck", HEALTH_CHECK)
    assert spec
    assert spec.loader
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.find_port(command_line, environment))


def check(port: int, **variables: str) -> int:
    """Run the command of the image's HEALTHCHECK as Docker does, with variables; return its exit code."""
    (command,) = re.findall(
        r'^HEALTHCHECK .*CMD \["python", "-I", "-S", "/healthcheck.py"\]$', SERVER_STAGE, re.MULTILINE
    )
    assert command
    environment = {**os.environ, "INKLING_PORT": str(port), **variables}
    return subprocess.run(
        [sys.executable, "-I", "-S", HEALTH_CHECK], env=environment, timeout=30, check=False
    ).returncode


@pytest.mark.unmeasured
def test_health_check_succeeds_while_the_server_is_ready(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--decoders", "1") as server:
        assert check(int(server.url.rpartition(":")[2])) == 0
    assert check(free_port()) == 1


@pytest.mark.unmeasured
def test_health_check_speaks_https_to_a_server_with_a_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    files = {"INKLING_TLS_CERTIFICATE": str(certificate), "INKLING_TLS_KEY": str(key)}
    with start_server(tmp_path / "data", "--trainer", "external", "--decoders", "1", **files) as server:
        port = int(server.url.rpartition(":")[2])
        assert (check(port, **files), check(port)) == (0, 1)


@pytest.mark.parametrize(
    ("command_line", "environment", "port"),
    [
        ("python inkling serve ", {}, 8000),
        ("python inkling serve ", {"INKLING_PORT": "9001"}, 9001),
        ("python inkling serve ", {"INKLING_PORT": '"9001"'}, 9001),
        ("python inkling serve ", {"AIP_HTTP_PORT": "9002", "SAGEMAKER_BIND_TO_PORT": "9003"}, 9002),
        ("python inkling serve ", LINKS, 8000),
        ("python inkling serve ", {**LINKS, "SAGEMAKER_BIND_TO_PORT": "9003"}, 9003),
        ("/sbin/docker-init -- inkling serve --port 9004 ", {"INKLING_PORT": "9001"}, 9004),
        ("python inkling serve --port=9005 --workers 2 ", {}, 9005),
    ],
)
def test_health_check_follows_the_port(command_line: str, environment: dict[str, str], port: int) -> None:
    assert find_port(command_line, environment) == port


def test_image_runs_as_a_number_in_group_0_and_its_volume_is_of_that_group() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:0"]
    assert "install -d -o inkling -g 0 -m 775 /data" in DOCKERFILE


def test_both_images_have_the_labels_of_oci() -> None:
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=", DOCKERFILE)
    names = {"title", "description", "source", "documentation", "licenses", "version", "revision"}
    assert set(labels) == names
    assert (labels.count("title"), labels.count("description")) == (2, 2)


def test_workflow_builds_both_images_for_both_processors_with_an_sbom() -> None:
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "images.yml").read_text())["jobs"].values()
    stages = re.findall(r"^FROM .* AS (\w+)$", DOCKERFILE, re.MULTILINE)
    targets = [entry["target"] for entry in job["strategy"]["matrix"]["include"]]
    assert targets == ["server", "trainer"]
    assert set(targets) <= set(stages)
    (build,) = (step["with"] for step in job["steps"] if step.get("uses", "").startswith("docker/build-push-action"))
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")
    assert re.findall(r"^ARG (.*)$", DOCKERFILE, re.MULTILINE)[0].replace("=unknown", "").split() == re.findall(
        r"(\w+)=", build["build-args"]
    )


def test_compose_mounts_what_exists_and_sets_what_is_read() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    settings = {f"INKLING_{field.upper()}" for field in Settings.model_fields}
    for service in compose["services"].values():
        variables = {name for name in service.get("environment", {}) if name.startswith("INKLING_")}
        assert variables <= settings
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (ROOT / source).is_dir() if source.startswith(".") else source in compose["volumes"]
    profiles = {name: service["profiles"] for name, service in compose["services"].items() if "profiles" in service}
    assert profiles == {"postgres": ["postgres"], "prometheus": ["observe"], "grafana": ["observe"]}


def test_compose_gives_prometheus_its_files_and_grafana_its_dashboard() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in services["prometheus"]["volumes"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    folders = {target: ROOT / source for source, target in mounts.items() if source.startswith(".")}
    provisioning = folders["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "inkling.yml").read_text())["providers"]
    assert (folders[provider["options"]["path"]] / "inkling.json").is_file()
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
