"""The export `npz`: the arrays for NumPy, the metadata, a README, and the code that reads digits with them."""

import io
from pathlib import Path

import numpy as np

from inkling.exports import reader
from inkling.exports.archive import zip_files
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import PortableNetwork

RUN = """\
Run it, after `unzip inkling-{version}.npz predict.py`:

    import json
    import numpy as np
    from predict import predict

    export = np.load("inkling-{version}.npz")
    arrays = {name: export[name] for name in export.files if name.startswith(("weights/", "biases/"))}
    card = json.loads(export["metadata.json"])["card"]
    scores, digits = predict(np.zeros((1, 784), np.uint8), arrays, card)
"""


def write(network: PortableNetwork) -> bytes:
    """Return the file: a zip archive, not compressed, as `np.savez` makes."""
    card = network.card.model_dump(mode="json")
    difference = largest_difference(network, lambda images: reader.predict(images, network.arrays, card)[0])
    description = Description(network, "npz", difference)
    members = {f"{name}.npy": _npy(array) for name, array in network.arrays.items()}
    return zip_files(
        {
            **members,
            "metadata.json": description.metadata_json().encode(),
            "README.md": description.readme("NumPy arrays", RUN).encode(),
            "predict.py": Path(reader.__file__).read_bytes(),
        }
    )


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()
