import hashlib
import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.network.checkpoint import (
    FORMAT_VERSION,
    LINEAR_PROBE_SHAPES,
    MAX_CHECKPOINT_BYTES,
    PROBE_SHAPES,
    SHAPES,
    Card,
    Checkpoint,
    load,
    save,
)
from tests.support.checkpoint_files import with_card, with_card_fields, with_header
from tests.support.networks import make_card, make_checkpoint, random_parameters, with_digit_probe


def with_arrays(**changes: NDArray[Any] | None) -> bytes:
    """Return a file with a card whose arrays are changed, added, or with None left out."""
    arrays: dict[str, Any] = {**random_parameters(), **changes}
    kept = {name: array for name, array in arrays.items() if array is not None}
    return safetensors.numpy.save(kept, metadata={"inkling": make_card().model_dump_json()})


def test_saved_network_is_loaded_bit_for_bit() -> None:
    # given
    parameters, card = random_parameters(seed=3), make_card()
    # when
    loaded = load(save(parameters, card).content)
    # then
    assert loaded.card == card
    assert loaded.parameters.keys() == SHAPES.keys()
    for name, array in parameters.items():
        assert loaded.parameters[name].dtype == np.float32
        np.testing.assert_array_equal(loaded.parameters[name], array)


@pytest.mark.parametrize(
    ("units", "shapes", "version"), [(False, LINEAR_PROBE_SHAPES, 2), (True, PROBE_SHAPES, FORMAT_VERSION)]
)
def test_digit_probe_is_saved_with_the_network(
    checkpoint: Checkpoint, units: bool, shapes: dict[str, Any], version: int
) -> None:
    saved = load(with_digit_probe(checkpoint, has_units=units).content)
    assert saved.parameters.keys() == SHAPES.keys() | shapes.keys()
    assert saved.card.format_version == version


@pytest.mark.parametrize("version", [1, 2, 3])
def test_digit_probe_may_be_missing(checkpoint: Checkpoint, version: int) -> None:
    assert load(with_card_fields(checkpoint.content, format_version=version)).parameters.keys() == SHAPES.keys()


@pytest.mark.parametrize(
    ("units", "missing"), [*((False, name) for name in LINEAR_PROBE_SHAPES), *((True, name) for name in PROBE_SHAPES)]
)
def test_part_of_a_digit_probe_is_refused(checkpoint: Checkpoint, units: bool, missing: str) -> None:
    parameters = {**with_digit_probe(checkpoint, has_units=units).parameters}
    del parameters[missing]
    with pytest.raises(CheckpointError, match=rf"holds .*, expected .*{missing}"):
        save(parameters, make_card())


@pytest.mark.parametrize("value", [np.zeros(384, np.float32), np.zeros(385), np.full(385, np.nan, np.float32)])
def test_wrong_digit_probe_is_refused(checkpoint: Checkpoint, value: NDArray[Any]) -> None:
    parameters = {**with_digit_probe(checkpoint).parameters, "weights/is_digit": value}
    with pytest.raises(CheckpointError, match="weights/is_digit "):
        save(parameters, make_card())


def test_digest_is_the_sha256_of_the_file(checkpoint: Checkpoint) -> None:
    assert checkpoint.digest == hashlib.sha256(checkpoint.content).hexdigest()


def test_array_that_is_not_contiguous_is_saved_with_its_values() -> None:
    parameters = random_parameters()
    parameters["weights/h1"] = np.asfortranarray(parameters["weights/h1"])
    saved = save(parameters, make_card())
    np.testing.assert_array_equal(saved.parameters["weights/h1"], parameters["weights/h1"])


def test_network_that_is_not_finite_is_not_saved() -> None:
    parameters = random_parameters()
    parameters["biases/b2"][7] = np.nan
    with pytest.raises(CheckpointError, match="biases/b2 holds values that are not finite"):
        save(parameters, make_card())


def test_card_names_the_libraries_that_made_it(checkpoint: Checkpoint) -> None:
    assert checkpoint.card.libraries == {"numpy": np.__version__}
    assert checkpoint.card.temperature == 1.0


def test_same_network_with_the_same_card_makes_the_same_file(checkpoint: Checkpoint) -> None:
    assert save(checkpoint.parameters, checkpoint.card).digest == checkpoint.digest


def test_file_of_the_first_release_whose_card_says_when_it_was_made_still_loads(checkpoint: Checkpoint) -> None:
    dated = load(with_card_fields(checkpoint.content, created_at="2024-07-01T12:00:00Z"))
    assert dated.card == checkpoint.card


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.003, 0.1, 0.5, 0.9, 0.99999])
def test_truncated_file_is_refused(checkpoint: Checkpoint, share: float) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint.content[: int(len(checkpoint.content) * share)])


def test_file_without_its_last_byte_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint.content[:-1])


def test_file_with_an_extra_byte_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint.content + b"\0")


@pytest.mark.parametrize("length", [0, 1, 2**20, 2**31, 2**63, 2**64 - 1])
def test_wrong_header_length_is_refused(checkpoint: Checkpoint, length: int) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(struct.pack("<Q", length) + checkpoint.content[8:])


def test_file_much_larger_than_a_network_is_refused_unread() -> None:
    with pytest.raises(CheckpointError, match="5242880 bytes, expected at most 4194304"):
        load(b"\0" * (5 << 20))
    assert MAX_CHECKPOINT_BYTES == 4_194_304


def test_pickle_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(pickle.dumps(random_parameters()))


@pytest.mark.parametrize("name", SHAPES)
def test_missing_array_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"holds \[.*\], expected \[.*" + name):
        load(with_arrays(**{name: None}))


def test_extra_array_is_refused() -> None:
    with pytest.raises(CheckpointError, match="weights/h3"):
        load(with_arrays(**{"weights/h3": np.zeros(1, np.float32)}))


@pytest.mark.parametrize(
    ("name", "shape"), [("weights/h1", (128, 784)), ("biases/out", (11,)), ("biases/b1", (1, 128))]
)
def test_wrong_shape_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CheckpointError, match=f"{name} has shape .*, expected"):
        load(with_arrays(**{name: np.zeros(shape, np.float32)}))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.bool_])
def test_wrong_dtype_is_refused(dtype: type[np.generic]) -> None:
    with pytest.raises(CheckpointError, match=r"biases/out is .*, expected float32"):
        load(with_arrays(**{"biases/out": np.zeros(10, dtype)}))


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4"])
def test_dtype_that_numpy_lacks_is_refused(checkpoint: Checkpoint, dtype: str) -> None:
    def change(header: dict[str, Any]) -> dict[str, Any]:
        return {**header, "biases/out": {**header["biases/out"], "dtype": dtype}}

    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(with_header(checkpoint.content, change))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", SHAPES)
def test_value_that_is_not_finite_is_refused(name: str, value: float) -> None:
    array = random_parameters()[name]
    array.flat[-1] = value
    with pytest.raises(CheckpointError, match=f"{name} holds values that are not finite"):
        load(with_arrays(**{name: array}))


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}])
def test_file_without_a_card_is_refused(checkpoint: Checkpoint, metadata: dict[str, str]) -> None:
    with pytest.raises(CheckpointError, match="has no card"):
        load(with_header(checkpoint.content, lambda header: {**header, "__metadata__": metadata}))


def test_file_without_metadata_is_refused() -> None:
    with pytest.raises(CheckpointError, match="has no card"):
        load(safetensors.numpy.save(random_parameters()))


def test_file_whose_metadata_are_null_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="has no card"):
        load(with_header(checkpoint.content, lambda header: {**header, "__metadata__": None}))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="half"),
        pytest.param("a network", id="prose"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param("1", id="number"),
        pytest.param("1" * 5000, id="number_of_5000_digits"),
        pytest.param("[" * 100_000, id="deep_list"),
        pytest.param('{"format_version":' * 100_000, id="deep_object"),
    ],
)
def test_card_that_is_no_json_object_is_refused(checkpoint: Checkpoint, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"card|format version"):
        load(with_card(checkpoint.content, text))


@pytest.mark.parametrize("version", [0, 4, "1", None, [], {}])
def test_card_of_another_format_version_is_refused(checkpoint: Checkpoint, version: Any) -> None:
    with pytest.raises(CheckpointError, match=r"format version is .*, expected 1 or 2 or 3"):
        load(with_card_fields(checkpoint.content, format_version=version))


@pytest.mark.parametrize(
    "fields",
    [
        {"recipe": None},
        {"recipe": {"learning_rate": 5}},
        {"dataset": 7},
        {"evaluation": {}},
        {"temperature": 0},
        {"temperature": "NaN"},
        {"temperature": 101},
        {"libraries": ["numpy"]},
    ],
    ids=str,
)
def test_card_with_a_wrong_field_is_refused(checkpoint: Checkpoint, fields: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=rf"its card cannot be read: (.|\n)*{next(iter(fields))}"):
        load(with_card_fields(checkpoint.content, **fields))


def test_card_whose_recipe_has_a_field_of_another_release_is_read(checkpoint: Checkpoint) -> None:
    recipe = {**make_card().recipe.model_dump(), "momentum": 0.9}
    assert load(with_card_fields(checkpoint.content, recipe=recipe)).card.recipe == make_card().recipe


def test_card_whose_recipe_has_the_field_names_of_0_1_is_read(checkpoint: Checkpoint) -> None:
    recipe = make_card().recipe.model_dump()
    recipe |= {"average_decay": 0.9, "fade": 0.2, "damaged": 0.3, "drawn": 0.4}
    for name in ("ema_decay", "anneal_fraction", "corrupted", "synthetic"):
        del recipe[name]
    read = load(with_card_fields(checkpoint.content, recipe=recipe)).card.recipe
    assert (read.ema_decay, read.anneal_fraction, read.corrupted, read.synthetic) == (0.9, 0.2, 0.3, 0.4)


@pytest.mark.parametrize("name", ["accuracy", "loss", "calibration_error"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_card_whose_scores_are_not_finite_is_refused(checkpoint: Checkpoint, name: str, value: float) -> None:
    # JSON has no such numbers: an answer of the server that held one could not be read
    evaluation = {**make_card().evaluation.model_dump(), name: value}
    with pytest.raises(CheckpointError, match=rf"its card cannot be read: (.|\n)*{name}"):
        load(with_card_fields(checkpoint.content, evaluation=evaluation))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"accuracy": 5.0}, "accuracy"),
        ({"accuracy": -0.1}, "accuracy"),
        ({"accuracy": True}, "accuracy"),
        ({"accuracy": 0.9}, "accuracy is 0.9"),
        ({"correct": 9}, "10 images, 7 of them read correctly; total is 10, correct 9"),
        ({"total": 20}, "total is 20"),
        ({"total": 0}, "total"),
        ({"interval_95": [0.8, 0.9]}, "in the interval 0.8 to 0.9"),
        ({"interval_95": [-1, 2]}, "interval_95"),
        ({"loss": -1.0}, "loss"),
        ({"calibration_error": 1.5}, "calibration_error"),
        ({"uncalibrated_error": -0.5}, "uncalibrated_error"),
        ({"digits": []}, "digits must be the scores"),
        ({"confusion_matrix": [[7]]}, "10 rows of 10 counts"),
        ({"confusion_matrix": [[-1] + [0] * 9] * 10}, "10 rows of 10 counts"),
    ],
    ids=str,
)
def test_card_whose_scores_are_impossible_is_refused(
    checkpoint: Checkpoint, fields: dict[str, Any], message: str
) -> None:
    evaluation = {**make_card().evaluation.model_dump(), **fields}
    with pytest.raises(CheckpointError, match=rf"its card cannot be read: (.|\n)*{message}"):
        load(with_card_fields(checkpoint.content, evaluation=evaluation))


def test_card_whose_digits_contradict_its_counts_is_refused(checkpoint: Checkpoint) -> None:
    evaluation = make_card().evaluation.model_dump()
    evaluation["digits"][3]["recall"] = 0.5
    with pytest.raises(CheckpointError, match="digits must be the scores"):
        load(with_card_fields(checkpoint.content, evaluation=evaluation))


def test_card_with_half_a_character_is_refused(checkpoint: Checkpoint) -> None:
    # a lone surrogate cannot be written as UTF-8: no answer and no database row could hold it
    with pytest.raises(CheckpointError, match="its card cannot be read"):
        load(with_card_fields(checkpoint.content, dataset="\ud800"))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        load(content)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
@settings(max_examples=50, deadline=None)
def test_random_card_is_refused(card: Any) -> None:
    with pytest.raises(CheckpointError):
        load(with_card(GOOD, json.dumps(card)))


@given(st.data())
@settings(deadline=None)
def test_damaged_header_is_refused_or_harmless(data: st.DataObject) -> None:
    # given: one byte of the header changed
    header_size = 8 + int.from_bytes(GOOD[:8], "little")
    damaged = bytearray(GOOD)
    damaged[data.draw(st.integers(0, header_size - 1))] = data.draw(st.integers(0, 255))
    # when
    try:
        loaded = load(bytes(damaged))
    except CheckpointError:
        return
    # then: the change was in a text or a number of the card
    assert isinstance(loaded.card, Card)
    assert {name: array.shape for name, array in loaded.parameters.items()} == SHAPES


GOOD = make_checkpoint().content


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_file_with_a_flipped_bit_is_refused(checkpoint: Checkpoint, share: float) -> None:
    content = bytearray(checkpoint.content)
    content[int(share * len(content))] ^= 1
    with pytest.raises(CheckpointError):
        load(bytes(content))


def test_file_states_its_own_digest(checkpoint: Checkpoint) -> None:
    length = struct.unpack("<Q", checkpoint.content[:8])[0]
    assert length % 8 == 0
    stated = json.loads(checkpoint.content[8 : 8 + length])["__metadata__"]["sha256"]
    without = checkpoint.content.replace(stated.encode(), b"0" * 64)
    assert hashlib.sha256(without).hexdigest() == stated
    with pytest.raises(CheckpointError, match=f"its SHA-256 is {stated}, its metadata state {'0' * 64}: it is damaged"):
        load(without)


def test_saved_twice_it_is_the_same_file(checkpoint: Checkpoint) -> None:
    assert save(checkpoint.parameters, checkpoint.card).content == checkpoint.content
