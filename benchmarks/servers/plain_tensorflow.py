"""FastAPI around TensorFlow, as a careful user would write it: constants, one compiled function, Pillow."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import sys
from typing import Annotated, Any

import tensorflow as tf
import uvicorn
from fastapi import FastAPI, File, Request, UploadFile

from benchmarks.servers.network import answer, decode, parameters

app = FastAPI()
loaded, temperature = parameters()
p = {name: tf.constant(array) for name, array in loaded.items()}


@tf.function(input_signature=[tf.TensorSpec((None, 784), tf.float32)])
def neural_net(x: tf.Tensor) -> tf.Tensor:
    layer_1 = tf.nn.sigmoid(tf.matmul(x, p["weights/h1"]) + p["biases/b1"])
    layer_2 = tf.nn.sigmoid(tf.matmul(layer_1, p["weights/h2"]) + p["biases/b2"])
    return tf.nn.softmax((tf.matmul(layer_2, p["weights/out"]) + p["biases/out"]) / temperature)


def read(content: bytes) -> dict[str, Any]:
    return answer(neural_net(tf.constant(decode(content))).numpy()[0])


@app.post("/multipart")
async def multipart(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    return read(await file.read())


@app.post("/raw")
async def raw(request: Request) -> dict[str, Any]:
    return read(await request.body())


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
