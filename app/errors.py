"""The errors of the service: one table, exception class -> status and title. `app.error_answers` encodes them."""

from sqlalchemy.exc import SQLAlchemyError

from inkling.errors import (
    CheckpointError,
    DatabaseFileError,
    DatasetError,
    ExportError,
    FeedbackQuotaError,
    IdempotencyKeyError,
    ImageError,
    InputError,
    MissingPackageError,
    NoDigitError,
    OtherDatasetError,
    PromotionMovedError,
    QueueFullError,
    RunFinishedError,
    SearchFinishedError,
    SearchNameError,
    ServedVersionError,
    TooLargeError,
    UnknownCorrectionError,
    UnknownPredictionError,
    UnknownRunError,
    UnknownSearchError,
    UnknownVersionError,
    VersionQuotaError,
)


class MalformedRequestError(InputError):
    """What was sent is not an HTTP/1.1 request; the detail says why. The connection is closed."""


class RequestTimeoutError(InputError):
    """The client took too long to send its request; the detail names the limit. The connection is closed."""


class HeadersTooLargeError(InputError):
    """The head of the request has too many bytes or fields; the detail names the limit. The connection is closed."""


class CountError(InputError):
    """The call takes exactly one image; the detail says how many the body holds."""


class BodyError(InputError):
    """The body is not what its Content-Type says."""


class MediaTypeError(InputError):
    """The call does not accept this Content-Type; the detail lists those that it does."""


class ContentEncodingError(MediaTypeError):
    """The body has a Content-Encoding that is not decoded; the header Accept-Encoding lists those that are."""

    ACCEPTED = "gzip, deflate"


class DigestError(InputError):
    """The body is not the one whose digest the header Content-Digest states: it was changed on its way."""


class FieldError(InputError):
    """A field or parameter has an invalid value; `errors` names each, with the value."""


class AuthorizationError(InputError):
    """The call needs the API key, and it is missing or wrong."""


class OriginError(InputError):
    """The request came from a page of another site, or under a foreign host name."""


class FeedbackOffError(InputError):
    """The server takes no feedback, unless the setting INKLING_FEEDBACK says so."""


class UnavailableError(InputError):
    """The service cannot do this at the moment; the detail says what is missing."""


class BusyError(InputError):
    """A limit on work in progress is reached; the detail names it. Send the request again after `Retry-After`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds after which there is probably room again, from what was measured."""


class OverloadedError(BusyError):
    """The server has as much work or as many bytes in progress as it can hold; the detail names the limit."""


class RateLimitedError(BusyError):
    """This client sends more requests than its limit allows; the detail names it."""


class TrainingImagesError(DatasetError):
    """This server has no training images, or they are damaged, or they are not those that the version learned."""


class ProtocolError(InputError):
    """A call of another server's protocol fails as that protocol says: with a status and headers of its own."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


TABLE: dict[type[Exception], tuple[int, str]] = {
    MalformedRequestError: (400, "Malformed request"),
    BodyError: (400, "Malformed body"),
    DigestError: (400, "Content digest mismatch"),
    AuthorizationError: (401, "API key required"),
    OriginError: (403, "Cross-origin request refused"),
    FeedbackOffError: (403, "Feedback is off"),
    UnknownRunError: (404, "No such run"),
    UnknownSearchError: (404, "No such search"),
    UnknownVersionError: (404, "No such version"),
    UnknownCorrectionError: (404, "No such correction"),
    UnknownPredictionError: (404, "No such prediction"),
    RunFinishedError: (409, "The run has ended"),
    SearchFinishedError: (409, "The search has ended"),
    SearchNameError: (409, "The name is taken"),
    RequestTimeoutError: (408, "Request timeout"),
    ServedVersionError: (409, "The version is served"),
    OtherDatasetError: (409, "The version learned another dataset"),
    PromotionMovedError: (412, "A newer promotion exists"),
    TooLargeError: (413, "Too large"),
    MediaTypeError: (415, "Unsupported media type"),
    FieldError: (422, "Invalid field"),
    ImageError: (422, "Not an image of a digit"),
    CountError: (422, "Exactly one image expected"),
    NoDigitError: (422, "No single digit in the picture"),
    CheckpointError: (422, "Not a checkpoint of this network"),
    ExportError: (422, "The version cannot be exported so"),
    IdempotencyKeyError: (422, "Idempotency key reused"),
    HeadersTooLargeError: (431, "Request header fields too large"),
    QueueFullError: (429, "Too many queued runs"),
    VersionQuotaError: (429, "Too many versions"),
    FeedbackQuotaError: (429, "Too many corrections"),
    RateLimitedError: (429, "Too many requests"),
    MissingPackageError: (501, "A package is not installed"),
    OverloadedError: (503, "Overloaded"),
    UnavailableError: (503, "Temporarily unavailable"),
    TrainingImagesError: (503, "The training images cannot be read"),
    DatasetError: (503, "The test images cannot be read"),
    DatabaseFileError: (503, "The database file is gone"),
    SQLAlchemyError: (503, "The registry cannot be reached"),
}

MAX_ERRORS = 20
"""Fields that an answer names; of more it says how many."""


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")
