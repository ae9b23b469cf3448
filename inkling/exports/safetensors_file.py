"""The export `safetensors`: a checkpoint file with the export's metadata. `inkling import` reads those of float32."""

from pathlib import Path

from inkling.exports import reader
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import PortableNetwork
from inkling.network.checkpoint import serialize

RUN = """\
Run it: save the metadata `predict.py` as a file, then

    import json
    import numpy as np
    from predict import predict
    from safetensors import safe_open

    with safe_open("inkling-{version}.safetensors", "np") as export:
        arrays = {name: export.get_tensor(name) for name in export.keys()}
        card = json.loads(export.metadata()["inkling"])
    scores, digits = predict(np.zeros((1, 784), np.uint8), arrays, card)
"""


def write(network: PortableNetwork) -> bytes:
    """Return the file. Its arrays include those of the digit probe, if the version has one."""
    card = network.card.model_dump(mode="json")
    difference = largest_difference(network, lambda images: reader.predict(images, network.arrays, card)[0])
    description = Description(network, "safetensors", difference)
    return serialize(
        network.checkpoint.parameters | network.arrays,
        network.card,
        {
            "export": description.metadata_json(),
            "readme": description.readme("safetensors", RUN),
            "predict.py": Path(reader.__file__).read_text("utf-8"),
        },
    )
