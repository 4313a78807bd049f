import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.identity import hash_of, hash_texts
from monitor.events.words import PADDING


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12), st.lists(st.text(max_size=300), max_size=5))
def test_the_compiled_hash_is_that_of_the_standard_library(model, texts):
    raws = [b"x" + text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(raw) for raw in raws], dtype=np.uint64)
    starts = [int(end) - len(raw) + 1 for raw, end in zip(raws, ends, strict=True)]
    data = np.frombuffer(b"".join(raws) + PADDING, dtype=np.uint8)
    places = np.array([*zip(starts, ends.tolist(), strict=True)], dtype=np.uint64).reshape(-1, 2)
    assert hash_texts(data, places, model).tolist() == [list(hash_of(model, text)) for text in texts]


def test_where_there_is_no_text_there_is_no_hash():
    data = np.frombuffer(PADDING, dtype=np.uint8)
    assert hash_texts(data, np.zeros((2, 2), dtype=np.uint64), "m").tolist() == [[0, 0], [0, 0]]


def test_exactly_full_blocks_are_hashed_as_the_standard_library_does():
    for n in (127, 128, 129, 256):
        data = np.frombuffer(b"y" + b"a" * n + PADDING, dtype=np.uint8)
        places = np.array([[1, n + 1]], dtype=np.uint64)
        assert tuple(hash_texts(data, places, "m")[0].tolist()) == hash_of("m", "a" * n)
