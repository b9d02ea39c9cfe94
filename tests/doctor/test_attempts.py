import pytest

from drf_apikit.doctor.attempts import Attempt


def test_what_is_raised_can_be_told() -> None:
    with Attempt() as attempt:
        raise ValueError("no")
    assert attempt.failure == "ValueError: no"
    assert isinstance(attempt.error, ValueError)


def test_what_goes_well_leaves_nothing() -> None:
    with Attempt() as attempt:
        pass
    assert (attempt.failure, attempt.error) == ("", None)


@pytest.mark.parametrize(
    ("kinds", "error"),
    [((), KeyboardInterrupt()), ((ValueError,), LookupError())],
    ids=["no exception", "another one"],
)
def test_other_kinds_are_not_caught(
    kinds: tuple[type[BaseException], ...], error: BaseException
) -> None:
    with pytest.raises(type(error)), Attempt(*kinds):
        raise error
