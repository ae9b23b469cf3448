"""The command `inkling`."""

import argparse
import logging.config
import os
import signal
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import get_args

import numpy as np
import uvicorn
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.bodies.images import decode
from app.bodies.pictures import decode_picture
from app.fast.http_protocol import JoinedHttpProtocol
from app.security import resolve_key
from app.settings import PREFIX, Settings, unknown_variables
from inkling import mnist
from inkling.atomic_file import write_atomically
from inkling.errors import CheckpointError, DatasetError, InputError, NoDigitError, RegistryError
from inkling.mnist import Split
from inkling.network import checkpoint
from inkling.network.attribution import explain
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.network.pretrained import load_pretrained
from inkling.registry.registry import Registry
from inkling.vision.normalize import normalize

TRAINING_COMMANDS = {
    "train": "train the network here and now",
    "worker": "train the runs that wait in the registry",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"alembic": {"level": "WARNING"}},
}
"""For every process of the service: uvicorn configures it in each worker."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 1 failed, 2 usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in TRAINING_COMMANDS:  # TensorFlow's side: this process makes way for it
        os.execv(sys.executable, [sys.executable, "-m", "training", *words])
    parser = _parser()
    arguments = parser.parse_args(words)
    for warning in unknown_variables():
        print(f"warning: {warning}", file=sys.stderr)
    try:
        settings = Settings(**{name: value for name in Settings.model_fields if (value := getattr(arguments, name))})
    except ValidationError as error:
        parser.error("; ".join(f"{PREFIX}{item['loc'][0]}".upper() + f": {item['msg']}" for item in error.errors()))
    try:
        exit_code: int = arguments.run(arguments, settings)
    except (InputError, RegistryError, CheckpointError, DatasetError, OSError, SQLAlchemyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inkling", description="Read handwritten digits.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=description, description=f"{description[0].upper()}{description[1:]}.")
        command.set_defaults(run=globals()[f"_{name}"])
        settings = command.add_argument_group("settings (also as INKLING_* variables and in .env)")
        for field_name, field in Settings.model_fields.items():
            is_serving = name == "serve" or field_name in ("data_dir", "database_url", "mnist_dir")
            settings.add_argument(
                f"--{field_name.replace('_', '-')}",
                metavar="|".join(map(str, get_args(field.annotation))) if field_name == "trainer" else "VALUE",
                help=f"{field.description} (default: {field.default})" if is_serving else argparse.SUPPRESS,
            )
        return command

    add("serve", "serve the network over HTTP")
    for name, description in TRAINING_COMMANDS.items():
        commands.add_parser(name, help=description, add_help=False)
    predict = add("predict", "read the digits on image files")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE", help="28x28 pixels, light ink on a dark ground")
    predict.add_argument("--plot", type=Path, metavar="PNG", help="draw the images with the digits read into this file")
    why = add("explain", "draw which ink of an image file speaks for a digit, and which against")
    why.add_argument("file", type=Path, metavar="FILE", help="28x28 pixels, light ink on a dark ground")
    why.add_argument("--digit", type=int, choices=range(10), help="the digit to explain (default: the one read)")
    why.add_argument("--plot", type=Path, metavar="PNG", required=True, help="draw the heat map into this file")
    measuring = add("evaluate", "measure the accuracy on the MNIST test images")
    measuring.add_argument(
        "--report", type=_markdown_file, metavar="FILE.md", help="measure all else too, and write the model card"
    )
    measuring.add_argument("--compare", type=Path, metavar="FILE", help="a checkpoint to tell of beside it in the card")
    for command in (predict, why):
        command.add_argument(
            "--fit",
            choices=("strict", "mnist"),
            default="strict",
            help="mnist: take any picture of one digit, and make of it what MNIST is made of (default: strict)",
        )
    for command in (predict, why, measuring):
        command.add_argument(
            "--checkpoint",
            type=Path,
            metavar="FILE",
            help="use this checkpoint, not the version being served",
        )
    add("versions", "list the versions, newest first")
    promote = add("promote", "serve a version from now on")
    promote.add_argument("version", type=_version_number)
    export = add("export", "write a version's checkpoint file")
    export.add_argument("version", type=_version_number)
    export.add_argument("file", type=Path, metavar="FILE")
    add("import", "add a checkpoint file as a version").add_argument("file", type=Path, metavar="FILE")
    add("verify", "check that the registry holds together")
    return parser


def _version_number(text: str) -> int:
    if not 1 <= (number := int(text)) < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is no version number")
    return number


def _markdown_file(text: str) -> Path:
    if (path := Path(text)).suffix != ".md":  # the pictures' folder is named like it, without the suffix
        raise argparse.ArgumentTypeError(f"{text} does not end in .md")
    return path


def _serve(arguments: argparse.Namespace, settings: Settings) -> int:
    logging.config.dictConfig(LOGGING)
    key, is_made = resolve_key(settings)
    if key and is_made:
        logging.getLogger("app").warning(
            "listening beyond loopback, so calls that change something need this key: "
            "curl -X POST -H 'Authorization: Bearer %s' http://localhost:%d/train",
            key,
            settings.port,
        )
    Registry(settings.registry_url).close()  # what is wrong with it is said here in words, not by uvicorn's traceback
    # Each worker process makes its own application, from the environment.
    for name, value in settings.model_dump(exclude_none=True, exclude={"api_key"}).items():
        os.environ[f"{PREFIX}{name}".upper()] = str(value)
    if settings.api_key:
        os.environ[f"{PREFIX}API_KEY"] = settings.api_key.get_secret_value()
    if settings.workers > 1:  # BLAS starts as many threads as processors, in each worker
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // settings.workers)))
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))  # uvicorn raises it again when all is closed
    try:
        uvicorn.run(
            "app.main:create_configured_app",
            factory=True,
            workers=settings.workers,
            host=settings.host,
            port=settings.port,
            http=JoinedHttpProtocol,
            access_log=False,  # ours names the request id
            server_header=False,
            log_config=LOGGING,
            timeout_graceful_shutdown=10,
        )
    except SystemExit as ended:
        return 1 if ended.code else 0  # uvicorn's own code for what does not start is 3
    return 0


def _predict(arguments: argparse.Namespace, settings: Settings) -> int:
    classifier = _classifier(arguments, settings)
    images = np.stack([_read(file, arguments.fit, settings.max_pixels) for file in arguments.files])
    probabilities = classifier.probabilities(images)
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for file, digit, confidence in zip(arguments.files, digits, confidences, strict=True):
        print(f"{file}: {digit} ({confidence:.3f})")
    if arguments.plot:
        from inkling.plots.predictions import plot_predictions  # noqa: PLC0415  fonts: 0.14 s that the server need not wait for

        captions = [f"Model prediction: {digit} ({p:.2f})" for digit, p in zip(digits, confidences, strict=True)]
        plot_predictions(images, captions).save(arguments.plot, format="PNG")
    return 0


def _explain(arguments: argparse.Namespace, settings: Settings) -> int:
    from inkling.plots.attribution import draw_heat_map  # noqa: PLC0415  fonts, as above

    classifier = _classifier(arguments, settings)
    image = _read(arguments.file, arguments.fit, settings.max_pixels)
    (probabilities,) = classifier.probabilities(image[np.newaxis])  # (10,)
    read = int(probabilities.argmax())
    explanation = explain(classifier, image, read if arguments.digit is None else arguments.digit)
    print(f"{arguments.file}: {read} ({probabilities[read]:.3f})")
    print(
        f"the ink moves the logit of {explanation.digit} by {explanation.logit - explanation.baseline_logit:+.2f},"
        f" from {explanation.baseline_logit:.2f} to {explanation.logit:.2f}"
    )
    draw_heat_map(image, explanation, probabilities).save(arguments.plot, format="PNG")
    return 0


def _read(file: Path, fit: str, max_pixels: int) -> NDArray[np.uint8]:
    """Return the image (28, 28) of a file, read as `fit` says."""
    if fit == "strict":
        return decode(file.read_bytes(), max_pixels, str(file))
    picture = decode_picture(file.read_bytes(), max_pixels, str(file))
    try:
        normalized = normalize(picture)
    except NoDigitError as error:
        raise NoDigitError(f"{file}: {error}") from error
    for warning in normalized.report.warnings:
        print(f"warning: {file}: {warning}", file=sys.stderr)
    return normalized.pixels


def _evaluate(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.compare and not arguments.report:
        print("error: --compare needs --report", file=sys.stderr)
        return 2
    classifier = _classifier(arguments, settings)
    test = mnist.load(settings.mnist_dir, settings.data_dir).test
    evaluation = evaluate(classifier.probabilities(test.images), test.labels)
    low, high = evaluation.interval_95
    print(f"Test Accuracy: {evaluation.accuracy:f} ({evaluation.correct} of {evaluation.total})")
    print(f"95 % interval: {low:.4f} to {high:.4f}")
    print(f"loss: {evaluation.loss:.4f} nats an image, calibration error: {evaluation.calibration_error:.4f}")
    for score in evaluation.digits:
        print(f"digit {score.digit}: precision {score.precision:.4f}, recall {score.recall:.4f}, {score.count} images")
    if arguments.report:
        _report(arguments.report, classifier.checkpoint, arguments.compare, test)
    return 0


def _report(path: Path, measured: Checkpoint, compare: Path | None, test: Split) -> None:
    from inkling.model_card.card import write_card  # noqa: PLC0415  the server never writes one
    from inkling.model_card.measurements import measure  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written is told now, not in some minutes
    compared = checkpoint.load(compare.read_bytes()) if compare else None
    files = write_card(path, measure(measured, compared, test, log=lambda line: print(line, file=sys.stderr)))
    size = sum(file.stat().st_size for file in files)
    print(f"{path}: the model card and {len(files) - 1} pictures, {size} bytes")


def _versions(arguments: argparse.Namespace, settings: Settings) -> int:
    registry = _registry(settings)
    served = registry.versions.served()
    for version in registry.versions.newest(limit=100):
        mark = "*" if served and served.version == version.version else " "
        print(
            f"{mark} {version.version:>4}  test accuracy {version.evaluation.accuracy:.4f}  {version.origin:<8}"
            f"  {version.created_at:%Y-%m-%d %H:%M}  {version.digest[:12]}"
        )
    return 0


def _promote(arguments: argparse.Namespace, settings: Settings) -> int:
    promotion = _registry(settings).versions.promote(arguments.version, reason="asked for by inkling promote")
    print(f"version {promotion.version} is served since {promotion.promoted_at:%Y-%m-%d %H:%M:%S} UTC")
    return 0


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    content = _registry(settings).versions.checkpoint(arguments.version)
    write_atomically(arguments.file, content)
    print(f"{arguments.file}: version {arguments.version}, {len(content)} bytes")
    return 0


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    classifier = Classifier(checkpoint.load(arguments.file.read_bytes()), version=0)
    classifier.self_check()
    test = mnist.load_test(settings.mnist_dir, settings.data_dir)
    evaluation = evaluate(classifier.probabilities(test.images), test.labels) if test else None
    version = _registry(settings).versions.add_upload(classifier.checkpoint, evaluation)
    print(f"{arguments.file}: version {version.version}, test accuracy {version.evaluation.accuracy:.4f}")
    print(f"`inkling promote {version.version}` serves it")
    return 0


def _verify(arguments: argparse.Namespace, settings: Settings) -> int:
    problems = _registry(settings).verify()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {settings.registry_url}" if problems else "consistent")
    return 1 if problems else 0


def _classifier(arguments: argparse.Namespace, settings: Settings) -> Classifier:
    """Return the checkpoint named, else the version being served here, else the one that ships."""
    if arguments.checkpoint:
        return Classifier(checkpoint.load(arguments.checkpoint.read_bytes()), version=0)
    if settings.has_registry and (served := (registry := Registry(settings.registry_url)).versions.served()):
        return Classifier(checkpoint.load(registry.versions.checkpoint(served.version)), served.version)
    return Classifier(load_pretrained(), version=0)


def _registry(settings: Settings) -> Registry:
    if not settings.has_registry:
        raise OSError(
            f"there is no registry at {settings.registry_url}; `inkling serve` makes one, or set INKLING_DATA_DIR"
        )
    return Registry(settings.registry_url)


if __name__ == "__main__":
    sys.exit(main())
