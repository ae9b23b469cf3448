# Two images from one file: `server` answers requests, without TensorFlow; `trainer` trains what waits in the registry.
# docker build -t inkling .    docker build --target trainer -t inkling-trainer .
# They run as any user of group 0, too, as OpenShift starts them.

FROM python:3.12-slim AS package
WORKDIR /src
COPY requirements-build.lock .
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY inkling inkling
COPY app app
COPY training training
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

# What its lock names beside the dependencies: PostgreSQL's driver, the decoder of HEIC, and the writer of ONNX.
FROM python:3.12-slim AS server-packages
COPY requirements-server.lock .
RUN python -m venv --without-pip /venv && \
    pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes -r requirements-server.lock
COPY --from=package /wheels /wheels
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM server-packages AS trainer-packages
COPY requirements-trainer.lock .
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes -r requirements-trainer.lock

FROM python:3.12-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 INKLING_DATA_DIR=/data
RUN useradd --uid 10001 --gid 0 --no-create-home inkling && install -d -o inkling -g 0 -m 775 /data
VOLUME /data
USER 10001:0
ENTRYPOINT ["inkling"]
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.source=https://github.com/inkling-digits/inkling \
      org.opencontainers.image.documentation=https://github.com/inkling-digits/inkling/blob/main/docs/operations.md \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION

FROM base AS trainer
COPY --from=trainer-packages /venv /venv
ENV KERAS_HOME=/tmp/keras
LABEL org.opencontainers.image.title="Inkling, the trainer" \
      org.opencontainers.image.description="Trains the network for handwritten digits with TensorFlow"
CMD ["worker"]
HEALTHCHECK --interval=30s --timeout=10s CMD ["inkling", "versions"]

FROM base AS server
COPY --from=server-packages /venv /venv
ENV INKLING_HOST=0.0.0.0 INKLING_TRAINER=external
LABEL org.opencontainers.image.title="Inkling, the server" \
      org.opencontainers.image.description="Reads handwritten digits over HTTP, without TensorFlow"
# SageMaker runs the image with the argument `serve`; its model's Environment sets INKLING_PORT=8080.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
EXPOSE 8000
CMD ["serve"]
COPY deploy/docker/healthcheck.py /
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 CMD ["python", "-I", "-S", "/healthcheck.py"]
