"""The manifest of deploy/ray: its fields, its pods by the schema of Kubernetes, and the applications that it names.

KubeRay's schema is in none of the registries that the tests install from: its fields are compared with those below,
which are in `ray-operator/apis/ray/v1` of KubeRay 1.4.
"""

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from inkling import __version__

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "ray"
FIELDS = {
    "spec": {"serveConfigV2", "rayClusterConfig"},
    "rayClusterConfig": {
        "rayVersion",
        "enableInTreeAutoscaling",
        "autoscalerOptions",
        "gcsFaultToleranceOptions",
        "headGroupSpec",
        "workerGroupSpecs",
    },
    "headGroupSpec": {"rayStartParams", "template"},
    "workerGroup": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
}


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "rayservice.yaml").read_text()))


def test_manifest_has_fields_that_kuberay_knows(service: dict[str, Any]) -> None:
    cluster = service["spec"]["rayClusterConfig"]
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    assert set(service["spec"]) == FIELDS["spec"]
    assert set(cluster) == FIELDS["rayClusterConfig"]
    assert set(cluster["headGroupSpec"]) == FIELDS["headGroupSpec"]
    for group in cluster["workerGroupSpecs"]:
        assert set(group) == FIELDS["workerGroup"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_pods_are_valid_and_know_only_settings(service: dict[str, Any]) -> None:
    cluster = service["spec"]["rayClusterConfig"]
    names = {f"INKLING_{name.upper()}" for name in Settings.model_fields}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        template = group["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": template["spec"]}
        kubernetes_validate.validate(pod, "1.37", strict=True)
        (container,) = template["spec"]["containers"]
        assert {variable["name"] for variable in container["env"]} <= names
        assert container["image"].endswith(f":{__version__}")


def test_manifest_holds_the_serve_config(service: dict[str, Any]) -> None:
    config = yaml.safe_load((FOLDER / "serve.yaml").read_text())
    assert yaml.safe_load(service["spec"]["serveConfigV2"]) == config
    for application in config["applications"]:
        module, _, name = application["import_path"].partition(":")
        found = importlib.util.find_spec(module)
        assert found is not None
        assert found.origin is not None
        assert f"\n{name} = " in Path(found.origin).read_text()


def test_ray_has_one_version(service: dict[str, Any]) -> None:
    version = service["spec"]["rayClusterConfig"]["rayVersion"]
    assert f"rayproject/ray:{version}-py311" in (FOLDER / "Dockerfile").read_text()
    assert f"\nray=={version} " in (ROOT / "requirements-ray.lock").read_text()
    (extra,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["ray"]
    assert extra.startswith("ray[data,serve]>=")
