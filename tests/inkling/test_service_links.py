import pytest

from app.settings import Settings, unknown_variables
from inkling.service_links import is_service_link

OF_A_SERVICE = {
    "INKLING_SERVICE_HOST": "10.96.0.17",
    "INKLING_SERVICE_PORT": "8000",
    "INKLING_SERVICE_PORT_HTTP": "8000",
    "INKLING_PORT": "tcp://10.96.0.17:8000",
    "INKLING_PORT_8000_TCP": "tcp://10.96.0.17:8000",
    "INKLING_PORT_8000_TCP_PROTO": "tcp",
    "INKLING_PORT_8000_TCP_PORT": "8000",
    "INKLING_PORT_8000_TCP_ADDR": "10.96.0.17",
}
"""What Kubernetes sets in each pod beside a Service `inkling` with the port `http`."""
OF_ANOTHER_SERVICE = {
    "INKLING_GRPC_SERVICE_HOST": "fd00:10:96::2",
    "INKLING_GRPC_SERVICE_PORT": "9000",
    "INKLING_GRPC_PORT": "tcp://[fd00:10:96::2]:9000",
    "INKLING_GRPC_PORT_9000_TCP": "tcp://[fd00:10:96::2]:9000",
}
"""And beside one named `inkling-grpc`."""


@pytest.fixture
def _in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (OF_A_SERVICE | OF_ANOTHER_SERVICE).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_in_a_pod")
def test_variables_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert (settings.port, settings.grpc_port) == (8000, None)
    monkeypatch.setenv("AIP_HTTP_PORT", "8080")
    assert Settings().port == 8080
    assert Settings(port=9000).port == 9000


@pytest.mark.usefixtures("_in_a_pod")
def test_variables_of_kubernetes_have_one_warning_in_all() -> None:
    (warning,) = unknown_variables()
    assert warning.startswith(
        "INKLING_GRPC_PORT=tcp://[fd00:10:96::2]:9000 and 11 more are ignored: Kubernetes sets such "
    )
    assert unknown_variables({"INKLING_PORT": "tcp://10.0.0.1:80"})[0].startswith(
        "INKLING_PORT=tcp://10.0.0.1:80 is ignored"
    )


@pytest.mark.parametrize("name", OF_A_SERVICE | OF_ANOTHER_SERVICE)
def test_each_variable_of_kubernetes_is_one(name: str) -> None:
    assert is_service_link(name, (OF_A_SERVICE | OF_ANOTHER_SERVICE)[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INKLING_PORT", "8000"),
        ("INKLING_PORT", "tcp://10.0.0.1"),
        ("INKLING_PORT", "http://10.0.0.1:8000"),
        ("INKLING_GRPC_PORT", "9000"),
        ("INKLING_HOST", "tcp://10.0.0.1:8000"),
        ("INKLING_SERVICE", "10.0.0.1"),
        ("OTHER_PORT", "tcp://10.0.0.1:8000"),
    ],
)
def test_settings_and_mistakes_are_none(name: str, value: str) -> None:
    assert not is_service_link(name, value)
