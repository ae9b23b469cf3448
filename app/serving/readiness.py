"""The readiness of a server: which version it serves, and whether that may be out of date."""

from app.errors import UnavailableError
from app.schemas import Ready
from app.serving.current_version import CurrentVersion
from app.settings import Settings


def readiness(current_version: CurrentVersion, settings: Settings) -> Ready:
    """Return what a server that has a version is ready for.

    Raises:
        UnavailableError: none is loaded; or the registry has not answered for too long, where the settings ask for it.
    """
    age_s, version = current_version.age_s, current_version.predictor.version
    stale = None
    if age_s > settings.max_registry_age_s:
        stale = (
            f"the registry has not answered for {age_s:.0f} s (INKLING_MAX_REGISTRY_AGE_S is "
            f"{settings.max_registry_age_s:g}): version {version} is served, which may not be the promoted one any more"
        )
        if settings.unready_if_stale:
            raise UnavailableError(stale)
    return Ready(version=version, refused=current_version.refused, registry_age_s=round(age_s, 3), stale=stale)
