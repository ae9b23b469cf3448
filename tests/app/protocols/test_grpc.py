"""Open Inference and TensorFlow Serving over gRPC: a real server, and the calls of real clients byte for byte."""

import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from app.protocols.grpc_messages import MAX_ENTRIES, MESSAGES
from benchmarks import mutated_grpc
from inkling.digit import Gray
from tests.support.bodies import image_file
from tests.support.command_line import inkling
from tests.support.ports import free_port
from tests.support.servers import Server, start_server
from tests.support.services import eventually

INFERENCE, SERVING = "inference.GRPCInferenceService", "tensorflow.serving.PredictionService"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("data"), INKLING_GRPC_PORT=str(port), INKLING_MAX_IMAGES="20") as server:
        yield server


@pytest.fixture(scope="module")
def call(server: Server, port: int) -> Iterator[Callable[..., Any]]:
    """Return a function that calls a method: its name, the name of its answer, and the message, or its bytes."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def send(service: str, method: str, answer: str, message: Any = b"") -> Any:
            content = message if isinstance(message, bytes) else message.SerializeToString()
            return MESSAGES[answer].FromString(channel.unary_unary(f"/{service}/{method}")(content, timeout=30))

        yield send


@pytest.fixture(scope="module")
def expected(server: Server, digits: Gray) -> np.ndarray[Any, Any]:
    """What /predict answers for the first two digits, float32 (2, 10)."""
    files = [("file", image_file(digit)) for digit in digits[:2]]
    predictions = httpx.post(f"{server.url}/predict", files=files).json()["predictions"]
    return np.array([prediction["probabilities"] for prediction in predictions], np.float32)


def infer_request(digits: Gray, datatype: str = "UINT8", **fields: Any) -> Any:
    request = MESSAGES["ModelInferRequest"](model_name="mnist", id="r1", **fields)
    request.inputs.add(name="images", datatype=datatype, shape=[len(digits), 784])
    return request


def raw(digits: Gray) -> Any:
    return infer_request(digits, raw_input_contents=[digits.tobytes()])


def in_contents(digits: Gray, datatype: str, field: str, levels: Any) -> Any:
    request = infer_request(digits, datatype)
    getattr(request.inputs[0].contents, field).extend(levels.ravel().tolist())
    return request


def files_request(digits: Gray, *, is_raw: bool) -> Any:
    files = [image_file(digit) for digit in digits]
    request = MESSAGES["ModelInferRequest"](model_name="mnist-files")
    tensor = request.inputs.add(name="images", datatype="BYTES", shape=[len(digits)])
    if is_raw:
        request.raw_input_contents.append(b"".join(len(file).to_bytes(4, "little") + file for file in files))
    else:
        tensor.contents.bytes_contents.extend(files)
    return request


def predict_request(digits: Gray, dtype: int = 1, **values: Any) -> Any:
    request = MESSAGES["PredictRequest"](model_spec={"name": "mnist", "signature_name": "predict_images"})
    tensor = request.inputs.add(key="images").value
    tensor.dtype = dtype
    for size in (len(digits),) if dtype == 7 else (len(digits), 784):
        tensor.tensor_shape.dim.add(size=size)
    for field, value in values.items():
        if isinstance(value, bytes):
            setattr(tensor, field, value)
        else:
            getattr(tensor, field).extend(value)
    return request


def test_server_and_models_are_described(call: Callable[..., Any]) -> None:
    assert call(INFERENCE, "ServerLive", "Live").live
    assert call(INFERENCE, "ServerReady", "Ready").ready
    ready = {name: call(INFERENCE, "ModelReady", "Ready", MESSAGES["ModelName"](name=name)).ready for name in
             ("mnist", "mnist-files", "resnet")}  # fmt: skip
    assert ready == {"mnist": True, "mnist-files": True, "resnet": False}
    assert not call(INFERENCE, "ModelReady", "Ready", MESSAGES["ModelName"](name="mnist", version="9")).ready
    assert call(INFERENCE, "ServerMetadata", "ServerMetadata").name == "inkling"
    metadata = call(INFERENCE, "ModelMetadata", "ModelMetadata", MESSAGES["ModelName"](name="mnist"))
    assert (list(metadata.versions), metadata.inputs[0].datatype) == (["1"], "UINT8")
    config = call(INFERENCE, "ModelConfig", "ModelConfigResponse", MESSAGES["ModelName"](name="mnist")).config
    assert (config.max_batch_size, config.input[0].data_type, list(config.output[0].dims)) == (20, 2, [10])
    index = call(INFERENCE, "RepositoryIndex", "RepositoryIndex")
    assert [(model.name, model.state) for model in index.models] == [("mnist", "READY"), ("mnist-files", "READY")]


def test_inference_answers_as_predict_does(
    call: Callable[..., Any], digits: Gray, expected: np.ndarray[Any, Any]
) -> None:
    two = digits[:2]
    units = two / np.float32(255)
    requests = [
        raw(two),
        in_contents(two, "UINT8", "uint_contents", two),
        in_contents(two, "INT32", "int_contents", two),
        in_contents(two, "INT64", "int64_contents", two),
        in_contents(two, "FP32", "fp32_contents", units),
        in_contents(two, "FP64", "fp64_contents", two / 255),
        infer_request(two, "FP16", raw_input_contents=[units.astype(np.float16).tobytes()]),
        files_request(two, is_raw=True),
        files_request(two, is_raw=False),
    ]
    for request in requests:
        answer = call(INFERENCE, "ModelInfer", "ModelInferResponse", request)
        assert [output.name for output in answer.outputs] == ["scores", "digits"]
        scores, found = answer.raw_output_contents
        assert scores == expected.tobytes()
        assert found == expected.argmax(axis=1).tobytes()
    assert answer.model_version == "1"


def test_outputs_are_those_asked_for(call: Callable[..., Any], digits: Gray, expected: np.ndarray[Any, Any]) -> None:
    request = raw(digits[:1])
    asked = request.outputs.add(name="scores")
    asked.parameters.add(key="classification").value.int64_param = 2
    answer = call(INFERENCE, "ModelInfer", "ModelInferResponse", request)
    best = int(expected[0].argmax())
    assert (answer.id, list(answer.outputs[0].shape), answer.outputs[0].datatype) == ("r1", [1, 2], "BYTES")
    assert f"{expected[0, best]:f}:{best}:{best}".encode() in answer.raw_output_contents[0]


def test_statistics_count_what_was_read(call: Callable[..., Any], digits: Gray) -> None:
    def counted() -> Any:
        (statistics,) = call(
            INFERENCE, "ModelStatistics", "ModelStatisticsResponse", MESSAGES["ModelName"](name="mnist")
        ).model_stats
        return statistics

    before = counted()
    call(INFERENCE, "ModelInfer", "ModelInferResponse", raw(digits[:3]))
    after = counted()
    assert after.inference_count - before.inference_count == 3
    assert after.inference_stats.queue.count - before.inference_stats.queue.count == 1


def test_tensorflow_serving_answers_as_predict_does(
    call: Callable[..., Any], digits: Gray, expected: np.ndarray[Any, Any]
) -> None:
    two = digits[:2]
    units = two / np.float32(255)
    requests = [
        predict_request(two, tensor_content=units.astype("<f4").tobytes()),
        predict_request(two, float_val=units.ravel().tolist()),
        predict_request(two, 2, double_val=(two / 255).ravel().tolist()),
        predict_request(two, 4, int_val=two.ravel().tolist()),
        predict_request(two, 9, int64_val=two.ravel().tolist()),
        predict_request(two, 19, half_val=units.astype(np.float16).view(np.uint16).ravel().tolist()),
        predict_request(two, 7, string_val=[image_file(digit) for digit in two]),
    ]
    for request in requests:
        answer = call(SERVING, "Predict", "PredictResponse", request)
        (entry,) = answer.outputs
        assert entry.key == "scores"
        assert [dimension.size for dimension in entry.value.tensor_shape.dim] == [2, 10]
        assert np.array_equal(np.array(entry.value.float_val, np.float32), expected.ravel())
    assert answer.model_spec.version.value == 1


def test_one_number_stands_for_all(call: Callable[..., Any], digits: Gray) -> None:
    answer = call(SERVING, "Predict", "PredictResponse", predict_request(digits[:2], float_val=[0.0]))
    assert len(answer.outputs[0].value.float_val) == 20


def _named(request: Any, **spec: Any) -> Any:
    request.model_spec.CopyFrom(MESSAGES["ModelSpec"](**spec))
    return request


def wrong(digits: Gray) -> dict[str, tuple[str, str, Any, grpc.StatusCode, str]]:
    """Return wrong calls by their names: service, method, message, and the code and words of the error."""
    one, bad, missing = digits[:1], grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    full = grpc.StatusCode.RESOURCE_EXHAUSTED
    infer, predict = (INFERENCE, "ModelInfer"), (SERVING, "Predict")
    both = in_contents(one, "UINT8", "uint_contents", one)
    both.raw_input_contents.append(one.tobytes())
    two_inputs = raw(one)
    two_inputs.inputs.add(name="images")
    shared = raw(one)
    shared.inputs[0].parameters.add(key="shared_memory_region").value.string_param = "r"
    half = infer_request(one, "FP16")
    half.inputs[0].contents.fp32_contents.append(1)
    named = raw(one)
    named.inputs[0].name = "x"
    fit = raw(one)
    fit.parameters.add(key="fit").value.string_param = "mnist"
    label = predict_request(one, float_val=[0.0])
    label.model_spec.version_label = "canary"
    extra = predict_request(one, float_val=[0.0])
    extra.inputs.add(key="other")
    filtered = predict_request(one, float_val=[0.0])
    filtered.output_filter.append("logits")
    huge = predict_request(one, float_val=[0.0])
    huge.inputs[0].value.tensor_shape.dim[0].size = 2**62
    zero = predict_request(one, float_val=[0.0])
    many = MAX_ENTRIES + 1
    empties = files_request(one, is_raw=True)
    empties.raw_input_contents[0] = bytes(80_000)
    return {
        "many empty files": (*infer, empties, bad, "there are 20000 files"),
        "many parameters": (*infer, raw(one).SerializeToString() + b"\x22\x00" * many, bad, "65 parameters"),
        "many inputs": (*infer, raw(one).SerializeToString() + b"\x2a\x00" * many, bad, "66 inputs"),
        "many outputs": (*infer, raw(one).SerializeToString() + b"\x32\x00" * many, bad, "65 outputs"),
        "many servable inputs": (*predict, zero.SerializeToString() + b"\x12\x00" * many, bad, "66 inputs"),
        "many filters": (*predict, zero.SerializeToString() + b"\x1a\x00" * many, bad, "65 output names"),
        "garbage": (*infer, b"\xff\xff\xff", bad, "the message is no ModelInferRequest"),
        "no model": (*infer, MESSAGES["ModelInferRequest"](model_name="resnet"), missing, "there is no model 'resnet'"),
        "no version": (*infer, infer_request(one, model_version="9"), missing, "there is no version 9"),
        "no number": (*infer, infer_request(one, model_version="x"), missing, "versions are numbers"),
        "no input": (*infer, MESSAGES["ModelInferRequest"](model_name="mnist"), bad, "0 inputs"),
        "two inputs": (*infer, two_inputs, bad, "2 inputs|unexpected inference input ''"),
        "another input": (*infer, named, bad, "unexpected inference input 'x'"),
        "both contents": (*infer, both, bad, "both contents and raw_input_contents"),
        "two raw": (*infer, infer_request(one, raw_input_contents=[b"", b""]), bad, "2 elements"),
        "shared memory": (*infer, shared, bad, "shared memory"),
        "half in contents": (*infer, half, bad, "contents have no FP16"),
        "too short": (*infer, infer_request(one, raw_input_contents=[b"12"]), bad, "2 bytes, expected 784"),
        "too few": (*infer, infer_request(one), bad, "0 numbers"),
        "out of range": (*infer, in_contents(one, "FP32", "fp32_contents", one), bad, "divide by 255"),
        "fit of pixels": (*infer, fit, bad, "needs image files"),
        "pixels as files": (*infer, _with_type(files_request(one, is_raw=False), "UINT8"), bad, "expected BYTES"),
        "no files": (*infer, _with_type(MESSAGES["ModelInferRequest"](model_name="mnist-files"), "BYTES"), bad,
                     "there are 0 files"),
        "too many": (*infer, raw(np.repeat(one, 21, axis=0)), full, "21 images"),
        "too large": (*infer, infer_request(one, raw_input_contents=[bytes(5 << 20)]), full, "larger than max"),
        "no such call": (INFERENCE, "ModelStreamInfer", b"", grpc.StatusCode.UNIMPLEMENTED, ""),
        "no servable": (*predict, _named(predict_request(one), name="foo"), missing, r"Latest\(foo\)"),
        "no servable version": (*predict, _named(predict_request(one), name="mnist", version={"value": 50}), missing,
                                r"Specific\(mnist, 50\)"),
        "no label": (*predict, label, bad, "Unrecognized servable version label: canary"),
        "no signature": (*predict, _named(zero, name="mnist", signature_name="zz"), bad, '"zz" not found'),
        "other inputs": (*predict, extra, bad, "found: images, other"),
        "other outputs": (*predict, filtered, bad, "logits"),
        "no type": (*predict, predict_request(one, 0), bad, "type 0"),
        "no strings": (*predict, predict_request(one, 7), bad, "no string_val"),
        "strings of another number": (
            *predict,
            predict_request(digits[:2], 7, string_val=[image_file(one[0])]),
            bad,
            r"string_val has 1 files, expected the shape \[1\], not \[2\]",
        ),
        "files only": (*predict, _named(predict_request(one, float_val=[0.0]), name="mnist",
                                        signature_name="serving_files"), bad, "serving_files takes"),
        "wrong content": (*predict, predict_request(one, tensor_content=b"123"), bad, "3 bytes"),
        "wrong count": (*predict, predict_request(one, float_val=[0.0, 0.0]), bad, "2 numbers"),
        "NaN": (*predict, predict_request(one, float_val=[float("nan")]), bad, "nan"),
        "one number for too many": (*predict, huge, full, "images"),
    }  # fmt: skip


def _with_type(request: Any, datatype: str) -> Any:
    if not request.inputs:
        request.inputs.add(name="images", shape=[0])
    request.inputs[0].datatype = datatype
    return request


def test_wrong_calls_get_the_code_and_words_of_their_error(call: Callable[..., Any], digits: Gray) -> None:
    for name, (service, method, message, code, words) in wrong(digits).items():
        with pytest.raises(grpc.RpcError) as failure:
            call(service, method, "Empty", message)
        assert failure.value.code() == code, (name, failure.value.details())
        assert re.search(words, failure.value.details()), (name, failure.value.details())


def test_calls_are_counted_by_path_and_status(call: Callable[..., Any], digits: Gray, server: Server) -> None:
    call(INFERENCE, "ModelInfer", "ModelInferResponse", raw(digits[:1]))
    metrics = httpx.get(f"{server.url}/metrics", headers={"Accept": "text/plain"}).text
    assert 'route="/inference.GRPCInferenceService/ModelInfer"' in metrics


def test_server_starts_again_after_a_path_that_is_no_text(server: Server, port: int) -> None:
    damaged = mutated_grpc.connection("gRPC Predict").replace(b"/Predict", b"/Pr\xe9dict")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(damaged)
        assert eventually(lambda: [line for line in server.log if "gRPC ended and starts again" in line], "its end")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        live = channel.unary_unary(f"/{INFERENCE}/ServerLive")
        assert live(b"", timeout=30, wait_for_ready=True) == b"\x08\x01"


def test_configuration_is_the_same_at_each_call(call: Callable[..., Any], server: Server) -> None:
    ask = MESSAGES["ModelName"](name="mnist")
    first, second = (call(INFERENCE, "ModelConfig", "ModelConfigResponse", ask) for _ in range(2))
    assert first == second
    config = httpx.get(f"{server.url}/v2/models/mnist/config").json()
    assert [tensor["data_type"] for tensor in config["input"]] == ["TYPE_UINT8"]


def test_calls_without_a_message_end_and_hold_nobody_up(tmp_path: Path) -> None:
    port = free_port()
    environment = {"INKLING_GRPC_PORT": str(port), "INKLING_CLIENT_TIMEOUT_S": "1"}
    with start_server(tmp_path, **environment), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        # given: more calls than are answered at a time, whose clients send nothing
        silent = threading.Event()
        method = channel.stream_unary(f"/{INFERENCE}/ServerLive")
        futures = [method.future(iter(lambda: silent.wait() and b"", b"")) for _ in range(40)]
        # then: another one is answered
        answer = channel.unary_unary(f"/{INFERENCE}/ServerLive")(b"", timeout=30)
        assert MESSAGES["Ready"].FromString(answer)
        # and they end, as does one that ends without a message
        assert {future.code() for future in futures} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        silent.set()
        with pytest.raises(grpc.RpcError, match="the call has no message, expected one"):
            method(iter(()), timeout=30)


def test_rate_limit_counts_calls(tmp_path: Path) -> None:
    port = free_port()
    limits = {"INKLING_GRPC_PORT": str(port), "INKLING_MAX_REQUESTS_PER_MINUTE": "2"}
    with start_server(tmp_path / "data", **limits), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        live = channel.unary_unary(f"/{INFERENCE}/ServerLive")
        answers = [live(b"", timeout=30) for _ in range(2)]
        with pytest.raises(grpc.RpcError) as failure:
            live(b"", timeout=30)
    assert len(answers) == 2
    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "127.0.0.1 sends more requests" in failure.value.details()


def test_two_workers_share_the_port_and_stop_in_order(tmp_path: Path) -> None:
    port = free_port()
    with start_server(tmp_path / "data", "--workers", "2", INKLING_GRPC_PORT=str(port)) as server:
        for _ in range(8):
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                assert channel.unary_unary(f"/{INFERENCE}/ServerLive")(b"", timeout=30) == b"\x08\x01"
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert not [line for line in server.log if "Traceback" in line]


def test_taken_port_is_an_error_of_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = inkling("serve", "--port", "0", "--grpc-port", port, "--data-dir", tmp_path / "data")
    assert result.returncode == 1
    assert f"gRPC cannot listen on 127.0.0.1, port {port} (INKLING_GRPC_PORT): Address already in use" in result.stderr
    assert "Traceback" not in result.stderr
