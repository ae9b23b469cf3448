"""The services of the gRPC server."""

import asyncio

from app.admission.admission import Admission
from app.observability.metrics import Metrics
from app.protocols import open_inference_grpc, tf_serving_grpc
from app.protocols.grpc_server import GrpcServer
from app.protocols.open_inference_grpc import OpenInferenceGrpc
from app.protocols.tf_serving_grpc import TensorFlowServingGrpc
from app.serving.scoring import Scoring
from app.settings import Settings


def grpc_server(
    settings: Settings, admission: Admission, metrics: Metrics, scoring: Scoring, stopping: asyncio.Event
) -> GrpcServer:
    """Return the server of both protocols; see `GrpcServer` and `OpenInferenceGrpc`."""
    return GrpcServer(
        settings,
        admission,
        metrics,
        {
            open_inference_grpc.SERVICE: OpenInferenceGrpc(scoring, stopping).methods(),
            tf_serving_grpc.SERVICE: TensorFlowServingGrpc(scoring).methods(),
        },
    )
