"""The exceptions of the library. Each message says what was wrong, with the value and the limit, and what to do.

InklingError
├── InputError                 what was sent cannot be read
│   ├── ImageError             it is not an image, or not one of 28x28 pixels
│   │   └── NoDigitError       the picture shows no single digit
│   └── TooLargeError          a limit on bytes, images or pixels is exceeded
├── CheckpointError            the file is not a checkpoint of this network
├── DatasetError               the data are missing, or are not what they should be
├── MissingPackageError        an optional package is not installed
└── RegistryError
    ├── UnknownRunError        there is no run of that number
    ├── UnknownVersionError    there is no version of that number
    ├── RunFinishedError       the run has ended and cannot be cancelled
    ├── QueueFullError         too many runs are queued already
    ├── PromotionMovedError    another version was promoted in the meantime
    ├── IdempotencyKeyError    the key was used for another request
    ├── LeaseLostError         the run was cancelled, or given to another trainer
    └── SchemaError            the database was made by a newer Inkling
"""


class InklingError(Exception):
    """Every exception of Inkling's own."""


class InputError(InklingError):
    """What was sent cannot be read."""


class ImageError(InputError):
    """What was sent is not an image, or not one of 28x28 pixels."""


class NoDigitError(ImageError):
    """The picture can be read, but shows no single digit: it is blank, all foreground or noise, or shows several."""


class TooLargeError(InputError):
    """A limit on bytes, images or pixels is exceeded; the detail names it."""


class CheckpointError(InklingError):
    """The file is not a checkpoint of this network; the message says what was expected and what was found."""


class DatasetError(InklingError):
    """The data are missing or are not what they should be; the message names the file and says what to do."""


class MissingPackageError(InklingError):
    """An optional package is not installed; the message says how to install it."""


class RegistryError(InklingError):
    """The registry cannot do what was asked."""


class UnknownRunError(RegistryError):
    """There is no run of that number."""


class UnknownVersionError(RegistryError):
    """There is no version of that number."""


class RunFinishedError(RegistryError):
    """The run has ended, so it cannot be cancelled."""


class QueueFullError(RegistryError):
    """Too many runs are queued already; try again after the time given."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PromotionMovedError(RegistryError):
    """Another version was promoted since the promotion that was named: read it again, then decide again."""


class IdempotencyKeyError(RegistryError):
    """The idempotency key was used for another request."""


class LeaseLostError(RegistryError):
    """The run was cancelled, or given to another trainer."""


class SchemaError(RegistryError):
    """The database was made by a newer Inkling."""
