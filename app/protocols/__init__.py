"""The protocols of other model servers, one per file: requests in their terms, answered by the same predictor."""
