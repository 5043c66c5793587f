from hatch_flat import answer


def test_answer():
    assert answer() == 42
