"""Service links: variables that Kubernetes sets in a pod for each Service of its namespace.

A Service named `inkling` brings `INKLING_PORT=tcp://10.0.0.1:8000`, which is not a port to listen on, and
`INKLING_SERVICE_HOST` and others, which are no settings:
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""

import re
from collections.abc import Mapping

_ADDRESS_NAME = re.compile(r"INKLING_(\w+_)?PORT", re.IGNORECASE)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
_NAME = re.compile(
    r"INKLING_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.IGNORECASE
)


def is_service_link(name: str, value: str | None) -> bool:
    """Return whether a variable has the form of those for a Service named `inkling` or `inkling-*`."""
    is_address = _ADDRESS_NAME.fullmatch(name) and _ADDRESS.fullmatch(value or "")
    return bool(is_address or _NAME.fullmatch(name))


def describe_service_links(environment: Mapping[str, str]) -> str | None:
    """Return which service links are ignored, in a sentence; None if there are none."""
    links = sorted(name for name, value in environment.items() if is_service_link(name, value))
    if not links:
        return None
    ignored = " is ignored" if len(links) == 1 else f" and {len(links) - 1} more are ignored"
    return (
        f"{links[0]}={environment[links[0]]}{ignored}: Kubernetes sets such variables for its Services; "
        "`enableServiceLinks: false` in the pod's spec keeps them away"
    )
