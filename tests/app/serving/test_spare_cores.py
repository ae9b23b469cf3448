import threading
from collections.abc import Sequence

import numpy as np
import pytest

from app.serving.spare_cores import SpareCores
from inkling.network.classifier import CHUNK, Classifier
from inkling.network.pretrained import load_pretrained

WAIT_S = 30.0


def thread_names(cores: SpareCores, items: Sequence[int]) -> list[str]:
    return cores.map(lambda item: threading.current_thread().name, items)


def test_results_are_in_the_order_of_the_items() -> None:
    assert SpareCores(4).map(lambda item: item * item, range(1000)) == [item * item for item in range(1000)]


def test_as_many_items_at_once_as_there_are_cores() -> None:
    all_at_once = threading.Barrier(3, timeout=WAIT_S)
    assert SpareCores(3).map(lambda item: all_at_once.wait() >= 0, range(6)) == [True] * 6


def test_one_core_computes_in_the_calling_thread() -> None:
    assert set(thread_names(SpareCores(1), range(100))) == {threading.current_thread().name}


def test_one_item_is_computed_in_the_calling_thread() -> None:
    assert thread_names(SpareCores(4), [1]) == [threading.current_thread().name]


def test_no_items() -> None:
    assert SpareCores(4).map(str, []) == []


def test_a_core_that_another_batch_uses_is_not_spare() -> None:
    cores = SpareCores(2)
    is_begun, may_end = threading.Event(), threading.Event()

    def hold(item: int) -> bool:
        is_begun.set()
        return may_end.wait(WAIT_S)

    other = threading.Thread(target=cores.map, args=(hold, [1]))
    other.start()
    assert is_begun.wait(WAIT_S)
    assert set(thread_names(cores, range(100))) == {threading.current_thread().name}
    may_end.set()
    other.join()
    both = threading.Barrier(2, timeout=WAIT_S)
    assert cores.map(lambda item: both.wait() >= 0, range(2)) == [True] * 2  # now it is spare


@pytest.mark.parametrize("failing", ["helper", "caller"])
def test_an_error_in_any_thread_is_raised(failing: str) -> None:
    cores, caller = SpareCores(2), threading.current_thread()
    both = threading.Barrier(2, timeout=WAIT_S)

    def fail_in_one(item: int) -> None:
        both.wait()
        if (threading.current_thread() is caller) == (failing == "caller"):
            raise ValueError(f"it fails in the {failing}")

    with pytest.raises(ValueError, match=failing):
        cores.map(fail_in_one, range(2))
    assert cores.map(lambda item: both.wait() >= 0, range(2)) == [True] * 2  # the core is spare again


def test_after_an_error_nothing_is_begun() -> None:
    begun = []

    def fail(item: int) -> None:
        begun.append(item)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        SpareCores(1).map(fail, range(10))
    assert begun == [0]


def test_a_batch_on_several_cores_gets_the_bits_of_one_core() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3 * CHUNK + 7, 28, 28), np.uint8)
    checkpoint = load_pretrained()
    alone, together = Classifier(checkpoint, 1).read(images), Classifier(checkpoint, 1, SpareCores(2).map).read(images)
    assert alone.digit_scores is not None
    assert together.digit_scores is not None
    assert alone.probabilities.tobytes() == together.probabilities.tobytes()
    assert alone.digit_scores.tobytes() == together.digit_scores.tobytes()
