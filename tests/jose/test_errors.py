from drf_apikit.jose.errors import KeySetError, Reason, TokenError


def test_a_token_error_has_a_code_and_a_detail() -> None:
    error = TokenError(Reason.EXPIRED, "exp has passed")
    assert error.reason == "expired"
    assert error.detail == "exp has passed"
    assert str(error) == "expired: exp has passed"


def test_codes_are_unique_and_fit_for_metrics() -> None:
    assert all(code.replace("_", "").isalpha() for code in Reason)
    assert [code.name.lower() for code in Reason] == [str(code) for code in Reason]


def test_a_key_set_error_is_a_value_error() -> None:
    assert issubclass(KeySetError, ValueError)
    assert not issubclass(TokenError, ValueError)
