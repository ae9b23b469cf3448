"""The exceptions of the library. A message states what is wrong, with the value and the limit.

InklingError
├── InputError                 the input cannot be read
│   ├── ImageError             it is not an image of a digit
│   │   ├── ImageSizeError     the image does not have 28x28 pixels
│   │   ├── UnreadError        the image file is intact, but of a kind that is not read
│   │   └── NoDigitError       the picture does not show exactly one digit
│   │       └── SeveralDigitsError  it shows several
│   ├── RecipeError            a field of a recipe, as a word, is unknown or not allowed
│   ├── SpaceError             the space of a search cannot be read
│   └── TooLargeError          a limit on bytes, images or pixels is exceeded
├── CheckpointError            the file is not a checkpoint of this network
├── BulkError                  a job of many images cannot start or go on
├── DataDirError               the data directory, or a file in it, belongs to another user
├── DatasetError               the data are missing or invalid
├── ExportError                the version cannot be written in this form
├── MissingPackageError        an optional package is not installed
└── RegistryError
    ├── UnknownRunError        there is no such run
    ├── UnknownSearchError     there is no such search
    ├── UnknownVersionError    there is no such version
    ├── UnknownCorrectionError there is no such correction
    ├── UnknownPredictionError there is no remembered prediction with this id
    ├── FeedbackQuotaError     the registry holds as many corrections as it may
    ├── ServedVersionError     the version is served and cannot be deleted
    ├── VersionQuotaError      the registry holds as many versions, or bytes of them, as it may
    ├── RunFinishedError       the run has ended and cannot be cancelled
    ├── SearchFinishedError    the search has ended and cannot be cancelled
    ├── SearchNameError        another search has this name
    ├── QueueFullError         too many runs are queued already
    ├── PromotionMovedError    another version was promoted in the meantime
    ├── OtherDatasetError      the version learned another dataset than the served one
    ├── IdempotencyKeyError    the key was used for another request
    ├── LeaseLostError         the run was cancelled, or given to another trainer
    ├── DatabaseUrlError       the URL of the database cannot be read
    ├── DatabaseFileError      the database file was deleted, replaced, or cannot be written any more
    └── SchemaError            the database was made by a newer Inkling, or by another program
"""


class InklingError(Exception):
    """The base of all exceptions of Inkling."""


class InputError(InklingError):
    """The input cannot be read."""


class ImageError(InputError):
    """The input is not an image, or not one of 28x28 pixels."""


class ImageSizeError(ImageError):
    """The image does not have 28x28 pixels."""


class UnreadError(ImageError):
    """The image file is intact, but of a kind that is not read; the message says what to do."""


class NoDigitError(ImageError):
    """The picture can be read, but does not show exactly one digit: it is blank, filled or noise, or shows several."""


class SeveralDigitsError(NoDigitError):
    """The picture shows several digits, where one is expected."""


class RecipeError(InputError):
    """A field of a recipe, as a word of the command line, is unknown or has a value that is not allowed."""


class SpaceError(InputError):
    """The space of a search cannot be read; the message says what is allowed."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        """The field of the recipe that it is about; None if it is about all."""


class TooLargeError(InputError):
    """A limit on bytes, images or pixels is exceeded; the message names it."""


class CheckpointError(InklingError):
    """The file is not a checkpoint of this network; the message says what was expected and what was found."""


class ExportError(InklingError):
    """The version cannot be exported in this way; the message says why, and which way works."""


class BulkError(InklingError):
    """A job of many images cannot start or go on; the message says why, and what to do."""


class DataDirError(InklingError):
    """The data directory, or a file in it, belongs to another user, and this process may not use it."""


class DatasetError(InklingError):
    """The data are missing or invalid; the message names the file and says what to do."""


class MissingPackageError(InklingError):
    """An optional package is not installed; the message says how to install it."""


class RegistryError(InklingError):
    """The registry cannot do what was asked."""


class UnknownRunError(RegistryError):
    """There is no run with this id."""


class UnknownSearchError(RegistryError):
    """There is no search with this number."""


class UnknownVersionError(RegistryError):
    """There is no version with this number."""


class UnknownCorrectionError(RegistryError):
    """There is no correction with this number."""


class UnknownPredictionError(RegistryError):
    """No prediction with this id is remembered: it was forgotten, or its correction was deleted."""


class FeedbackQuotaError(RegistryError):
    """The registry holds as many corrections as it may; the message names the limit."""


class ServedVersionError(RegistryError):
    """The version is served, so it cannot be deleted."""


class VersionQuotaError(RegistryError):
    """The registry holds as many versions, or bytes of checkpoint files, as it may; the message names the limit."""


class RunFinishedError(RegistryError):
    """The run has ended, so it cannot be cancelled."""


class SearchFinishedError(RegistryError):
    """The search has ended, so it cannot be cancelled."""


class SearchNameError(RegistryError):
    """A search of this name was started with another recipe, space, seed or size."""


class QueueFullError(RegistryError):
    """Too many runs are queued already."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that a run takes on average: after them the queue is probably shorter."""


class PromotionMovedError(RegistryError):
    """Another version was promoted after the promotion that the caller named."""


class OtherDatasetError(RegistryError):
    """The version learned another dataset than the served one, and nobody asked for that."""


class IdempotencyKeyError(RegistryError):
    """The idempotency key was used for another request."""


class LeaseLostError(RegistryError):
    """The run was cancelled, or given to another trainer."""


class DatabaseUrlError(RegistryError):
    """The URL of the database cannot be read; the message says why, and nothing of what may be its password."""


class DatabaseFileError(RegistryError):
    """The database file was deleted or replaced, or cannot be written any more: what is written now would be lost."""


class SchemaError(RegistryError):
    """The database was made by a newer Inkling, or by another program."""
