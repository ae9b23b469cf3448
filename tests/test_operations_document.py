"""docs/operations.md: its commands run, or are checked by the program that they are for."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from tests.support.command_line import run_here
from tests.support.nginx import start_nginx
from tests.support.promtool import run_promtool
from tests.support.servers import start_server
from tests.support.services import open_registry, publish, retrained

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "operations.md").read_text()
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MEASURED = re.compile(r"^\| `inkling .*", re.MULTILINE)
"""Rows of a table that say what a command takes."""
PROGRAMS = "chown|cp|docker|inkling|journalctl|kubectl|make|pip|promtool|python|systemctl|useradd"
COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*(?P<program>{PROGRAMS}) .+")
NOT_HERE = {
    "chown -R 10001:0 FOLDER": "needs root",
    "docker buildx imagetools inspect": "needs the images of a release",
    "docker run -v": "names an option",
    "docker stop -t 60": "needs Docker",
    "journalctl -u inkling": "needs a machine that systemd runs",
    "pip install '.[otel]'": "would change the environment of the tests",
    "systemctl daemon-reload": "needs a machine that systemd runs",
    "systemctl edit inkling.socket": "opens an editor",
    "systemctl reload inkling": "needs a machine that systemd runs",
    "systemctl restart inkling": "needs a machine that systemd runs",
    "useradd --system": "needs root, and would add a user",
}
"""The beginnings of the commands that cannot run in a test, and why."""
ELSEWHERE = {
    "inkling worker": "tests/training/test_worker_process.py",
    "kubectl ": "tests/deploy/test_kubernetes.py",
    "python -m benchmarks.": "tests/test_benchmarks.py",
}
"""The beginnings of commands that other tests run."""


def blocks(language: str) -> list[str]:
    return [block for name, block in FENCED.findall(TEXT) if name == language]


def commands() -> list[str]:
    """Return the lines of all shell blocks, and the commands within sentences, each once, in their order."""
    lines = "".join(blocks("sh")).replace("\\\n", "").splitlines()
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", MEASURED.sub("", FENCED.sub("", TEXT))))
    return list(dict.fromkeys([*lines, *(span for span in spans if COMMAND.fullmatch(span))]))


def commands_of(program: str) -> list[str]:
    """Return the commands of a program that this module runs."""
    known = (*NOT_HERE, *ELSEWHERE)
    found = [COMMAND.fullmatch(command) for command in commands() if not command.startswith(known)]
    return [match[0] for match in found if match and match["program"] == program]


def variables_of(command: str) -> dict[str, str]:
    words = shlex.split(command)
    return dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))


def test_every_command_is_run_or_on_a_list() -> None:
    assert len(commands()) > 25
    programs = ("cp", "docker", "inkling", "make", "promtool", "systemctl")
    checked = [command for program in programs for command in commands_of(program)]
    listed = [command for command in commands() if command.startswith((*NOT_HERE, *ELSEWHERE))]
    assert sorted([*checked, *listed]) == sorted(commands())
    assert [start for start in (*NOT_HERE, *ELSEWHERE) if not any(c.startswith(start) for c in commands())] == []
    assert all((ROOT / file).exists() for file in ELSEWHERE.values())
    assert {name for name, _ in FENCED.findall(TEXT)} == {"sh", "nginx", "json"}


def test_care_of_the_registry_goes_as_described(
    tmp_path: Path, shipped: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
        registry.versions.add_first(shipped)
        publish(registry, retrained(shipped, 2))
    done = []
    for command in (command for command in commands_of("inkling") if "inkling serve" not in command):
        line = command.replace("FILE", str(tmp_path / "backup.db")).replace("URL", f"sqlite:///{tmp_path}/moved.db")
        folder = "restored" if command.startswith("inkling restore") else "data"  # one that holds nothing
        given = [] if "--database-url" in line else ["--data-dir", str(tmp_path / folder)]
        ended = run_here(capsys, *line.split()[1:], *given)
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
        done.append(line.split()[1])
    assert set(done) == {"prune", "backup", "verify", "restore", "move"}


def test_server_behind_the_proxy_of_the_document_answers(tmp_path: Path) -> None:
    (command,) = (command for command in commands_of("inkling") if "TRUSTED_PROXIES" in command)
    (site,) = blocks("nginx")
    variables = variables_of(command)
    with start_server(tmp_path / "data", "--trainer", "external", **variables) as server:
        address = server.url.removeprefix("http://")
        folder = tmp_path / "nginx"
        folder.mkdir()
        with start_nginx(folder, [address], site.replace("127.0.0.1:8000", address)) as url:
            headers = {"Host": variables["INKLING_ALLOWED_HOSTS"]}
            answer = httpx.get(f"{url}/inkling/train/77", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (404, "/inkling/problems/no-such-run")


def test_server_starts_with_the_variables_for_traces(tmp_path: Path) -> None:
    (command,) = (command for command in commands_of("inkling") if "OTEL_" in command)
    (sampler,) = re.findall(r"`(OTEL_TRACES_SAMPLER=[^`]*)`", TEXT)
    variables = variables_of(f"{sampler} {command}")
    assert len(variables) == 3
    with start_server(tmp_path, "--trainer", "external", **variables) as server, server.client() as client:
        assert client.get("/readyz").status_code == 200


def test_units_are_copied_and_enabled(tmp_path: Path) -> None:
    (copying,) = commands_of("cp")
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    here = copying.replace("/opt/inkling", str(ROOT)).replace("/etc/", f"{tmp_path}/etc/")
    subprocess.run(["bash", "-c", here], check=True)
    if shutil.which("systemctl") is None:
        pytest.skip("needs systemd: apt-get install systemd")
    for enabling in commands_of("systemctl"):
        words = [word for word in enabling.split()[1:] if word != "--now"]
        subprocess.run(["systemctl", f"--root={tmp_path}", *words], check=True, timeout=60)
    assert {"inkling-trainer.service", "inkling.service"} <= {link.name for link in units.glob("*.wants/*")}


def test_targets_of_make_exist() -> None:
    for command in commands_of("make"):
        words = command.replace("/opt/inkling", str(ROOT)).split()
        subprocess.run(["make", "--dry-run", *words[1:]], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_compose_has_the_profiles_and_reads_the_variables() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    profiles = {name for service in yaml.safe_load(text)["services"].values() for name in service.get("profiles", ())}
    named = set()
    for command in commands_of("docker"):
        assert re.fullmatch(r"(\w+=\S+ )*docker compose( --profile \w+)?( up)?", command)
        named |= set(re.findall(r"--profile (\w+)", command))
        assert all(f"${{{name}" in text for name in variables_of(command)), command
    assert named == profiles == set(re.findall(r"COMPOSE_PROFILES=(\w+)", TEXT)) | {"observe"}


def test_rules_of_prometheus_pass_their_tests() -> None:
    (command,) = commands_of("promtool")
    words = command.split()[1:]
    assert "SUCCESS" in run_promtool(*(ROOT / word if "/" in word else word for word in words))


def test_log_record_has_the_fields_of_the_table() -> None:
    (block,) = blocks("json")
    table = TEXT.partition("| field | in records |")[2].partition("\n\n")[0]
    named = {
        name for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert json.loads(block).keys() <= named


def test_settings_that_are_named_exist() -> None:
    settings = {f"INKLING_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"INKLING_[A-Z_]+[A-Z](?![A-Z_*])", TEXT))
    assert named - settings == {"INKLING_NAME"}
