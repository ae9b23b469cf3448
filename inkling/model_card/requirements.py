"""The optional packages of the model card: the extra `report`."""

from importlib import import_module

from inkling.errors import MissingPackageError

PACKAGES = ("matplotlib", "jinja2")


def require_report_packages() -> None:
    """Check that the packages can be imported; `inkling.model_card.card` imports them.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    for package in PACKAGES:
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"the model card needs {error.name}, which is not installed; "
                "run pip install '.[report]' in the project's folder"
            ) from error
