"""The rules and the dashboard, on a real Prometheus that scrapes a real server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from tests.support.bodies import RAW
from tests.support.prometheus import Prometheus, start_prometheus
from tests.support.promtool import run_promtool
from tests.support.runs import claim, queue
from tests.support.servers import Server, start_server
from tests.support.services import eventually, open_registry, publish, retrained

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "inkling.json"
OPERATIONS = ROOT / "docs" / "operations.md"
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]
OF_PROMETHEUS = {"up"}
METRIC = re.compile(r"\b(up|(?:inkling|process)_\w+|job\w*:\w+:\w+)(?=[\s{\[)]|$)")


def dashboard_queries() -> list[str]:
    """Return each query of the dashboard, with Grafana's variables set as Grafana does."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [query.replace("$__rate_interval", "1m").replace("$job", "inkling") for query in queries]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shipped: Checkpoint) -> Iterator[Server]:
    """A server that has answered requests of each kind, with runs of each kind in its registry."""
    data_dir = tmp_path_factory.mktemp("observed") / "data"
    data_dir.mkdir()
    with open_registry(Settings(data_dir=data_dir)) as registry:
        registry.versions.add_first(shipped)
        publish(registry, retrained(shipped, 2), promoted=False)
        registry.runs.fail(claim(registry), "internal", "as the test wants it")
        queue(registry)
    with start_server(data_dir, "--trainer", "external", "--feedback", "on", "--decoders", "1") as server:
        with server.client() as client:
            for _ in range(3):
                client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
            client.post("/predict", content=b"x", headers={"Content-Type": RAW})
            client.post("/v1/models/mnist:predict", json={"instances": [[0.0] * 784]})
            assert client.post("/feedback?label=1", content=bytes(784), headers={"Content-Type": RAW}).is_success
        yield server


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus with the configuration of the deployment, at a faster pace, and with this server as its target."""
    folder = tmp_path_factory.mktemp("prometheus")
    config: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [server.url.removeprefix("http://")]}]
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text())
    for group in rules["groups"]:
        group.pop("interval", None)
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with start_prometheus(folder, folder / "prometheus.yml") as prometheus:
        yield prometheus


def test_promtool_finds_nothing_wrong_with_configuration_and_rules() -> None:
    assert "FAILED" not in run_promtool("check", "config", FOLDER / "prometheus.yml")


def test_each_alert_fires_in_its_case_alone() -> None:
    assert "SUCCESS" in run_promtool("test", "rules", FOLDER / "rules_test.yml")
    cases = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    checked = [alert for case in cases for alert in case["alert_rule_test"]]
    assert {alert["alertname"] for alert in checked if "exp_alerts" in alert} == set(ALERTS)
    assert {alert["alertname"] for alert in checked if "exp_alerts" not in alert} == set(ALERTS)


def test_every_alert_is_explained() -> None:
    assert sorted(re.findall(r"^\| `(Inkling\w+)` \| \w+ \|", OPERATIONS.read_text(), re.MULTILINE)) == sorted(ALERTS)


def test_rules_and_dashboard_name_only_metrics_that_a_server_has(server: Server) -> None:
    with server.client() as client:
        eventually(lambda: "inkling_versions 2.0" in client.get("/metrics?format=prometheus").text, "the registry's")
        text = client.get("/metrics?format=prometheus").text
    names = (
        set(re.findall(r"^# HELP (\S+)", text, re.MULTILINE))
        | OF_PROMETHEUS
        | {r["record"] for r in RULES if "record" in r}
    )
    for histogram in re.findall(r"^# TYPE (\S+) histogram", text, re.MULTILINE):
        names |= {f"{histogram}_{suffix}" for suffix in ("bucket", "count", "sum")}
    expressions = [*dashboard_queries(), *(rule["expr"] for rule in RULES)]
    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(used) > 40
    assert used - names == set()


def test_every_query_of_the_dashboard_answers_something(prometheus: Prometheus) -> None:
    queries = dashboard_queries()
    assert len(queries) > 40
    for query in queries:
        eventually(lambda query=query: prometheus.query(query), query)  # type: ignore[misc]


def test_alerts_are_evaluated_and_quiet_on_a_healthy_server(prometheus: Prometheus) -> None:
    rules = eventually(lambda: [r for r in prometheus.rules() if r["health"] != "unknown"] or None, "an evaluation")
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    eventually(lambda: prometheus.query('ALERTS{alertname="InklingRunFailed", alertstate="firing"}'), "a run failed")
    assert {series["metric"]["alertname"] for series in prometheus.query("ALERTS")} == {"InklingRunFailed"}
