"""The manifests of deploy/kubernetes: built by kustomize, checked with the schemas, and run without a cluster."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from benchmarks.scoreboard.memory_group import compose_environment, compose_limit_mib
from inkling import __version__
from tests.deploy.test_prometheus import METRIC, RULES
from tests.inkling.test_service_links import OF_A_SERVICE
from tests.support.kubectl import build_manifests, run_kubectl
from tests.support.servers import start_server

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
OVERLAYS = ["base", *sorted(f"overlays/{folder.name}" for folder in (FOLDER / "overlays").iterdir())]
KUBERNETES = "1.37"
Manifests = dict[tuple[str, str], dict[str, Any]]


def build(overlay: str) -> Manifests:
    """Return the manifests of an overlay by kind and name."""
    return {
        (manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in build_manifests(FOLDER / overlay)
    }


@pytest.fixture(scope="module")
def built() -> dict[str, Manifests]:
    return {overlay: build(overlay) for overlay in OVERLAYS}


@pytest.fixture(scope="module")
def complete(built: dict[str, Manifests]) -> Manifests:
    return built["overlays/complete"]


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    return dict(deployment["spec"]["template"]["spec"])


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(deployment)["containers"]
    return dict(container)


def environment_of(deployment: dict[str, Any], manifests: Manifests) -> dict[str, str]:
    """Return the variables that a container gets, but those from Secrets."""
    container = container_of(deployment)
    variables: dict[str, str] = {}
    for source in container["envFrom"]:
        variables |= manifests["ConfigMap", source["configMapRef"]["name"]]["data"]
    return variables | {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def secrets_of(deployment: dict[str, Any]) -> dict[str, str]:
    """Return the Secret and its key by the variable that takes them."""
    entries = [entry for entry in container_of(deployment)["env"] if "valueFrom" in entry]
    references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in entries}
    return {name: f"{reference['name']}/{reference['key']}" for name, reference in references.items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid(built: dict[str, Manifests], overlay: str) -> None:
    assert len(built[overlay]) >= 8
    for (kind, _), manifest in built[overlay].items():
        schema = SCHEMAS / f"{kind}.json"
        if schema.exists():
            jsonschema.validate(manifest, json.loads(schema.read_text()))
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_schemas_refuse_what_is_misspelled(complete: Manifests) -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            complete["Deployment", "inkling"] | {"spec": {"replica": 1}}, KUBERNETES, strict=True
        )
    scaled = complete["ScaledObject", "inkling-trainer"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            scaled | {"spec": {**scaled["spec"], "minReplicas": 1}},
            json.loads((SCHEMAS / "ScaledObject.json").read_text()),
        )


def test_overlays_bring_what_they_are_named_after(built: dict[str, Manifests], complete: Manifests) -> None:
    kinds = {overlay: {kind for kind, _ in manifests} for overlay, manifests in built.items()}
    base = kinds["base"]
    assert base == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
    }
    assert kinds["overlays/cloudnative-pg"] - base == {"Cluster"}
    assert kinds["overlays/keda"] - base == {"ScaledObject"}
    assert kinds["overlays/prometheus-operator"] - base == {"ServiceMonitor", "PrometheusRule"}
    assert kinds["overlays/complete"] == set.union(*kinds.values())
    assert complete["PrometheusRule", "inkling"]["spec"] == yaml.safe_load(
        (ROOT / "deploy" / "prometheus" / "rules.yml").read_text()
    )


@pytest.mark.parametrize("name", ["inkling", "inkling-trainer"])
def test_pods_may_do_little_and_know_no_service_links(complete: Manifests, name: str) -> None:
    deployment = complete["Deployment", name]
    pod, container = pod_of(deployment), container_of(deployment)
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}  # noqa: S108
    assert container["image"].rpartition(":")[2] == __version__


def test_selectors_find_their_pods(complete: Manifests) -> None:
    labels = {
        name: complete["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        for name in ("inkling", "inkling-trainer")
    }
    for (kind, name), selector in {
        ("Service", "inkling"): complete["Service", "inkling"]["spec"]["selector"],
        ("PodDisruptionBudget", "inkling"): complete["PodDisruptionBudget", "inkling"]["spec"]["selector"][
            "matchLabels"
        ],
        ("NetworkPolicy", "inkling"): complete["NetworkPolicy", "inkling"]["spec"]["podSelector"]["matchLabels"],
        ("NetworkPolicy", "inkling-trainer"): complete["NetworkPolicy", "inkling-trainer"]["spec"]["podSelector"][
            "matchLabels"
        ],
    }.items():
        found = [owner for owner, of_pod in labels.items() if selector.items() <= of_pod.items()]
        assert (kind, found) == (kind, [name])
    monitored = complete["ServiceMonitor", "inkling"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= complete["Service", "inkling"]["metadata"]["labels"].items()
    spread = pod_of(complete["Deployment", "inkling"])["topologySpreadConstraints"]
    assert [item["topologyKey"] for item in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_server_has_the_memory_and_the_limits_of_compose(complete: Manifests) -> None:
    server = complete["Deployment", "inkling"]
    assert container_of(server)["resources"]["limits"] == {"memory": f"{compose_limit_mib()}Mi"}
    assert compose_environment().items() <= environment_of(server, complete).items()


def test_variables_are_settings_and_secrets_are_there(built: dict[str, Manifests]) -> None:
    settings = {f"INKLING_{field.upper()}" for field in Settings.model_fields}
    for overlay, manifests in built.items():
        server, trainer = (manifests["Deployment", name] for name in ("inkling", "inkling-trainer"))
        with_operator = ("Cluster", "inkling-database") in manifests
        database = {
            "INKLING_DATABASE_URL": "inkling-database-app/uri" if with_operator else "inkling-database/url",
        }
        assert secrets_of(trainer) == database, overlay
        assert secrets_of(server) == {**database, "INKLING_API_KEY": "inkling-api-key/key"}
        for deployment in (server, trainer):
            variables = environment_of(deployment, manifests)
            assert {name for name in variables if name.startswith("INKLING_")} <= settings


def test_commands_of_the_document_make_the_secrets_of_the_base(built: dict[str, Manifests]) -> None:
    section = (ROOT / "docs" / "operations.md").read_text().partition("## Kubernetes\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    *creations, last = block[1].splitlines()
    made = [yaml.safe_load(run_kubectl(f"{line} --dry-run=client --output=yaml")) for line in creations]
    keys = {f"{item['metadata']['name']}/{key}" for item in made if item["kind"] == "Secret" for key in item["data"]}
    needed = {
        name for key in ("inkling", "inkling-trainer") for name in secrets_of(built["base"]["Deployment", key]).values()
    }
    assert keys == needed
    assert last == "kubectl -n inkling apply -k deploy/kubernetes/base"
    assert sorted(re.findall(r"^\| `(overlays/[\w-]+)` \|", section, re.MULTILINE)) == sorted(OVERLAYS[1:])


def test_keda_scales_trainers_up_to_the_runs_at_once(complete: Manifests) -> None:
    scaled = complete["ScaledObject", "inkling-trainer"]["spec"]
    trainer = complete["Deployment", scaled["scaleTargetRef"]["name"]]
    assert "replicas" not in trainer["spec"]
    assert environment_of(trainer, complete)["INKLING_RUNS_AT_ONCE"] == str(scaled["maxReplicaCount"])
    (trigger,) = scaled["triggers"]
    assert set(METRIC.findall(trigger["metadata"]["query"])) == {"inkling_run_queue_length", "inkling_runs"}
    assert any("inkling_run_queue_oldest_age_seconds" in rule["expr"] for rule in RULES)


def test_pod_has_the_time_of_its_servers_stop(complete: Manifests) -> None:
    server = complete["Deployment", "inkling"]
    environment = environment_of(server, complete)
    drain_s, stop_s = (float(environment[name]) for name in ("INKLING_DRAIN_S", "INKLING_STOP_S"))
    assert "lifecycle" not in container_of(server)  # the drain does what a preStop would
    assert drain_s >= 5
    assert stop_s >= 35  # an upload of 30 s ends before requests are refused
    assert drain_s + stop_s + 2 <= pod_of(server)["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(("overlay", "scheme", "port"), [("base", "HTTP", 80), ("overlays/tls", "HTTPS", 443)])
def test_probes_speak_as_the_server_listens(built: dict[str, Manifests], overlay: str, scheme: str, port: int) -> None:
    manifests = built[overlay]
    server = manifests["Deployment", "inkling"]
    container = container_of(server)
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [probe.get("scheme", "HTTP") for probe in probes] == [scheme] * 3
    assert [probe["path"] for probe in probes] == ["/livez", "/readyz", "/livez"]
    assert manifests["Service", "inkling"]["spec"]["ports"][0]["port"] == port
    files = {f"INKLING_{name}" for name in ("TLS_CERTIFICATE", "TLS_KEY")}
    environment = environment_of(server, manifests)
    folders = {str(Path(environment[name]).parent) for name in files & environment.keys()}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "tls"}
    assert folders == mounted == ({"/tls"} if scheme == "HTTPS" else set())


@pytest.mark.unmeasured
def test_server_runs_with_the_environment_and_the_probes_of_its_pod(
    tmp_path: Path, built: dict[str, Manifests]
) -> None:
    # given: the variables of the image, the manifest and the Secrets, and those that Kubernetes may set
    manifests = built["base"]
    deployment = manifests["Deployment", "inkling"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    of_image = dict(re.findall(r"(INKLING_(?:HOST|TRAINER))=(\S+)", dockerfile.partition("AS server\n")[2]))
    secrets = {
        "INKLING_API_KEY": "a-key-for-tests",
        "INKLING_DATABASE_URL": f"sqlite:///{tmp_path / 'inkling.db'}",
    }
    assert secrets.keys() == secrets_of(deployment).keys()
    environment = {**OF_A_SERVICE, **of_image, **environment_of(deployment, manifests), **secrets}
    container = container_of(deployment)
    # when
    with start_server(tmp_path / "data", **environment) as server, server.client() as client:
        # then: the probes succeed, as the kubelet asks, by the pod's address
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[name]["httpGet"]["path"]
            assert client.get(path, headers={"Host": "10.244.0.7:8000"}).status_code == 200, name
        assert client.post("/train").status_code == 401
        assert client.post("/train", headers={"Authorization": "Bearer a-key-for-tests"}).status_code == 202
        assert any("INKLING_PORT=tcp://10.96.0.17:8000 and 7 more are ignored" in line for line in server.log)
        # and it ends well within the time that the pod has
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(pod_of(deployment)["terminationGracePeriodSeconds"]) == 0
